// Owns the files of control groups version 2.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import type { CgroupLimits, Cgroups } from './index.ts';
import { makeDirectory, processesBelow, read, removeTree, waitFor, write, killProcess } from './tree.ts';

const periodMicroseconds = 100_000;

export function openV2(root: string): Cgroups {
  const at = (path: string) => join(root, path);
  return {
    version: '2',
    hybrid: false,
    create: (path, kind) => {
      makeDirectory(at(path));
      if (kind === 'limited') enableControllers(root, path);
      return [at(path)];
    },
    limit: (path, limits) => limit(at(path), limits),
    background: (path, on) => void write(join(at(path), 'cpu.weight'), on ? '6' : '100'),
    freeze: async (path, signal) => {
      if (!write(join(at(path), 'cgroup.freeze'), '1'))
        throw new TwofoldError('sandbox-gone', 'The control group to be frozen is gone.');
      while (!isFrozen(at(path))) await waitFor(2, 'The container could not be paused in time.', signal);
    },
    thaw: async (path) => void write(join(at(path), 'cgroup.freeze'), '0'),
    isFrozen: (path) => isFrozen(at(path)),
    processes: (path) => processesBelow(at(path)),
    kill: (path, signal) => killV2(at(path), signal),
    remove: (path, signal) => removeTree(at(path), signal),
    oomFile: (path) => join(at(path), 'memory.events'),
    oomKills: (path) => Number(/^oom_kill (\d+)$/m.exec(read(join(at(path), 'memory.events')) ?? '')?.[1] ?? 0),
    directory: at,
    entrances: (path) => [at(path)],
  };
}

/** Kills a v2 group at once where the kernel can (5.14), and one by one otherwise. Resolves when nothing is left. */
export async function killV2(directory: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const left = processesBelow(directory);
    if (left.length === 0) return;
    if (!existsSync(join(directory, 'cgroup.kill')) || !write(join(directory, 'cgroup.kill'), '1'))
      left.forEach(killProcess);
    await waitFor(2, 'Processes of the sandbox could not be killed in time.', signal);
  }
}

function isFrozen(directory: string): boolean {
  return /^frozen 1$/m.test(read(join(directory, 'cgroup.events')) ?? '');
}

/** A controller works in a group only when each group above has handed it down. */
function enableControllers(root: string, path: string): void {
  const above: string[] = [];
  for (let at = dirname(join(root, path)); at.startsWith(root); at = dirname(at)) {
    above.unshift(at);
    if (at === root) break;
  }
  for (const directory of above) {
    const available = new Set((read(join(directory, 'cgroup.controllers')) ?? '').trim().split(' '));
    for (const controller of ['memory', 'cpu', 'pids'])
      if (available.has(controller)) write(join(directory, 'cgroup.subtree_control'), `+${controller}`);
  }
}

function limit(directory: string, { memoryBytes, cpus, pids }: CgroupLimits): void {
  const set = (file: string, value: string) => {
    if (!write(join(directory, file), value))
      throw new TwofoldError('unsupported', `The kernel offers no ${file} for this control group.`);
  };
  if (memoryBytes !== undefined) {
    set('memory.max', memoryBytes === null ? 'max' : String(memoryBytes));
    write(join(directory, 'memory.swap.max'), memoryBytes === null ? 'max' : '0');
  }
  if (cpus !== undefined)
    set(
      'cpu.max',
      cpus === null
        ? `max ${periodMicroseconds}`
        : `${Math.max(1000, Math.round(cpus * periodMicroseconds))} ${periodMicroseconds}`,
    );
  if (pids !== undefined) set('pids.max', pids === null ? 'max' : String(pids));
}
