// Owns the files of control groups version 1, and of a v2 tree beside it that only tracks.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import type { CgroupLimits, CgroupMount, Cgroups } from './index.ts';
import { childrenOf, killProcess, makeDirectory, processesBelow, read, removeTree, waitFor, write } from './tree.ts';
import { killV2 } from './v2.ts';

const periodMicroseconds = 100_000;
const limitControllers = ['memory', 'cpu', 'pids'];

export function openV1(mounts: readonly CgroupMount[], unified: CgroupMount | null): Cgroups {
  const mountOf = (controller: string): string => {
    const mount = mounts.find(({ controllers }) => controllers.includes(controller));
    if (mount === undefined)
      throw new TwofoldError('unsupported', `The machine's control groups lack the ${controller} controller.`);
    return mount.directory;
  };
  const at = (controller: string, path: string) => join(mountOf(controller), path);
  const trees = [...mounts.map(({ directory }) => directory), ...(unified === null ? [] : [unified.directory])];
  // Where processes are only followed: what freezes, what systemd counts by, and the v2 tree, which kills at once.
  const tracking = [
    ...mounts
      .filter(
        ({ controllers }) => controllers.includes('freezer') || controllers.some((name) => name.startsWith('name=')),
      )
      .map(({ directory }) => directory),
    ...(unified === null ? [] : [unified.directory]),
  ];
  const frozen = (path: string) => read(join(at('freezer', path), 'freezer.state'))?.trim() === 'FROZEN';
  const thaw = (path: string) => write(join(at('freezer', path), 'freezer.state'), 'THAWED');
  return {
    version: '1',
    hybrid: unified !== null,
    create: (path, kind) => {
      const roots = kind === 'limited' ? [...new Set([...tracking, ...limitControllers.map(mountOf)])] : tracking;
      return roots.map((root) => {
        makeDirectory(join(root, path));
        return join(root, path);
      });
    },
    limit: (path, limits) => limit(limits, (controller) => at(controller, path)),
    background: (path, on) => void write(join(at('cpu', path), 'cpu.shares'), on ? '64' : '1024'),
    freeze: async (path, signal) => {
      // A process that forks meanwhile can keep the state at FREEZING until it is asked again.
      for (;;) {
        if (!write(join(at('freezer', path), 'freezer.state'), 'FROZEN'))
          throw new TwofoldError('sandbox-gone', 'The control group to be frozen is gone.');
        if (frozen(path)) return;
        await waitFor(2, 'The container could not be paused in time.', signal);
      }
    },
    thaw: async (path) => void thaw(path),
    isFrozen: frozen,
    processes: (path) => processesBelow(at('freezer', path)),
    kill: async (path, signal) => {
      for (;;) {
        const left = new Set(tracking.flatMap((root) => processesBelow(join(root, path))));
        if (left.size === 0) return;
        left.forEach(killProcess);
        thawBelow(at('freezer', path));
        if (unified !== null) await killV2(join(unified.directory, path), signal);
        else await waitFor(2, 'Processes of the sandbox could not be killed in time.', signal);
      }
    },
    remove: async (path, signal) => {
      for (const root of trees) await removeTree(join(root, path), signal);
    },
    oomFile: (path) => join(at('memory', path), 'memory.oom_control'),
    oomKills: (path) =>
      Number(/^oom_kill (\d+)$/m.exec(read(join(at('memory', path), 'memory.oom_control')) ?? '')?.[1] ?? 0),
    directory: (path) => at('freezer', path),
    // The runtime does not see a v2 tree beside them.
    entrances: (path) =>
      mounts.map(({ directory }) => join(directory, path)).filter((directory) => existsSync(directory)),
  };
}

/** A frozen process dies only once it is thawed. */
function thawBelow(directory: string): void {
  const text = read(join(directory, 'freezer.state'));
  if (text === undefined) return;
  write(join(directory, 'freezer.state'), 'THAWED');
  for (const name of childrenOf(directory)) thawBelow(join(directory, name));
}

function limit({ memoryBytes, cpus, pids }: CgroupLimits, at: (controller: string) => string): void {
  const set = (controller: string, file: string, value: string) => {
    if (!write(join(at(controller), file), value))
      throw new TwofoldError('unsupported', `The kernel offers no ${file} for this control group.`);
  };
  if (memoryBytes !== undefined) {
    set('memory', 'memory.limit_in_bytes', String(memoryBytes ?? -1));
    // Memory and swap together: no swap beyond the limit. Absent where the kernel doesn't count swap.
    write(join(at('memory'), 'memory.memsw.limit_in_bytes'), String(memoryBytes ?? -1));
  }
  if (cpus !== undefined) {
    set('cpu', 'cpu.cfs_period_us', String(periodMicroseconds));
    set(
      'cpu',
      'cpu.cfs_quota_us',
      cpus === null ? '-1' : String(Math.max(1000, Math.round(cpus * periodMicroseconds))),
    );
  }
  if (pids !== undefined) set('pids', 'pids.max', pids === null ? 'max' : String(pids));
}
