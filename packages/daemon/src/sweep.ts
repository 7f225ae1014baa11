// Owns taking away what a daemon's settings name on the host: processes, cgroups, mounts, links, user records,
// directories. Works without the daemon and from the kernel's tables, so that it also clears up after a crash.
// Idempotent.

import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { TwofoldError } from '@twofold/contract';
import { openCgroups } from './host/cgroup/index.ts';
import { runCommand } from './host/command.ts';
import { removeEverything } from './networks/apply.ts';
import type { Settings } from './settings.ts';

const userRecords = '/run/userdb';
const endTimeoutMs = 10_000;

async function list(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}

/**
 * Living supervisors of this run root. Their workers die with them; another daemon's may have ids of the same range and
 * are left alone.
 */
export async function ownProcesses(settings: Settings): Promise<number[]> {
  const found: number[] = [];
  for (const name of await list('/proc')) {
    if (!/^\d+$/.test(name) || name === String(process.pid)) continue;
    const words = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0');
    const supervisor =
      /(^|\/)twofold-supervisor$/.test(words[0] ?? '') && (words[1] ?? '').startsWith(`${settings.runRoot}/`);
    if (supervisor) found.push(Number(name));
  }
  return found;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

/** Kills until `find` finds none. */
async function endAll(what: string, find: () => Promise<number[]>): Promise<void> {
  const deadline = performance.now() + endTimeoutMs;
  for (let left = await find(); left.length > 0; left = await find()) {
    if (performance.now() > deadline)
      throw new TwofoldError('internal', `Processes of ${what} do not end: ${left.join(', ')}.`);
    left.forEach(kill);
    await wait(20);
  }
}

/** Containers' processes, frozen ones too, and their groups. */
async function removeCgroups(parent: string): Promise<void> {
  const cgroups = openCgroups();
  await cgroups.kill(parent, AbortSignal.timeout(endTimeoutMs));
  await cgroups.remove(parent, AbortSignal.timeout(endTimeoutMs));
}

/** Mount points below the roots, innermost first. */
export function mountsBelow(mountinfo: string, roots: readonly string[]): string[] {
  return mountinfo
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .map((path) => path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))))
    .filter((path) => roots.some((root) => path === root || path.startsWith(`${root}/`)))
    .toReversed();
}

async function unmountBelow(roots: readonly string[]): Promise<void> {
  for (const path of mountsBelow(await readFile('/proc/self/mountinfo', 'utf8'), roots))
    await runCommand(`unmount ${path}`, ['umount', '--lazy', '--', path], { accept: [0, 32] });
}

/**
 * Records of the workers' users: their names are GUIDs, their ids lie in our range, and nobody runs as them: another
 * daemon's would.
 */
async function removeUserRecords(range: Settings['workerUids']): Promise<void> {
  const busy = new Set(
    await Promise.all(
      (await list('/proc'))
        .filter((name) => /^\d+$/.test(name))
        .map((name) =>
          stat(`/proc/${name}`).then(
            (each) => each.uid,
            () => -1,
          ),
        ),
    ),
  );
  const ours = (id: number): boolean => id >= range.first && id <= range.last && !busy.has(id);
  for (const file of await list(userRecords)) {
    const uid = /^(\d+)\.(user|group)$/.exec(file)?.[1];
    const name = /^([0-9a-f]{32})\.(user|group)$/.exec(file)?.[1];
    if (uid !== undefined && ours(Number(uid))) await rm(join(userRecords, file), { force: true });
    if (name === undefined) continue;
    const record = await readFile(join(userRecords, file), 'utf8').then(
      (text) => JSON.parse(text) as { uid?: number; gid?: number },
      () => ({ uid: undefined, gid: undefined }),
    );
    // A link whose record is gone already reads as none.
    const id = record.uid ?? record.gid;
    if (id === undefined || ours(id)) await rm(join(userRecords, file), { force: true });
  }
}

/** Refuses what can only be a mistake: a careless recursive removal is the worst that a purge can do. */
export function assertOwnDirectory(directory: string): void {
  const path = resolve(directory);
  const depth = path.split('/').filter((part) => part !== '').length;
  if (
    depth < 2 ||
    ['/usr/local', '/usr/lib', '/var/lib', '/usr/bin', '/home/root', '/var/run', '/usr/local/lib'].includes(path)
  ) {
    throw new TwofoldError('forbidden', `${path} is no directory of Twofold's own: it is not removed.`);
  }
}

/** Everything that a daemon with these settings may have left on the host, its directories included. */
export async function sweep(settings: Settings, progress: (line: string) => void): Promise<void> {
  for (const root of [settings.dataRoot, settings.runRoot]) assertOwnDirectory(root);
  progress('processes');
  await endAll('sandboxes', () => ownProcesses(settings));
  await removeCgroups(settings.cgroupParent);
  progress('mounts');
  await unmountBelow([settings.runRoot, settings.dataRoot]);
  progress('switches and rules');
  await removeEverything(settings.linkPrefix);
  await removeUserRecords(settings.workerUids);
  progress(`${settings.dataRoot}, ${settings.runRoot}`);
  for (const path of [settings.dataRoot, settings.runRoot, settings.socket])
    await rm(path, { recursive: true, force: true });
}
