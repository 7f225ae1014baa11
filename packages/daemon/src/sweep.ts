// Owns taking away what a daemon's settings name on the host: processes, cgroups, mounts, links, user records,
// directories. Works without the daemon and from the kernel's tables, so that it also clears up after a crash.
// Idempotent.

import { lstat, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { TwofoldError } from '@twofold/contract';
import { keepApart } from './apart.ts';
import { openCgroups } from './host/cgroup/index.ts';
import { runCommand } from './host/command.ts';
import { leave, othersThan } from './instances.ts';
import { removeLinks, removeRules } from './networks/apply.ts';
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
 * Records of the workers' users whose ids `owns` tells and nobody runs as. A record of a name is a link to that of the
 * id: where it leads tells whose it is, though the record be gone or half written.
 */
export async function removeUserRecords(directory: string, owns: (id: number) => boolean): Promise<void> {
  const busy = await userIdsInUse();
  for (const file of await list(directory)) {
    const target = /^[0-9a-f]{32}\.(user|group)$/.test(file)
      ? await readlink(join(directory, file)).catch(() => '')
      : file;
    const id = /^(\d+)\.(user|group)$/.exec(target)?.[1];
    if (id !== undefined && owns(Number(id)) && !busy.has(Number(id))) await rm(join(directory, file), { force: true });
  }
}

async function userIdsInUse(): Promise<Set<number>> {
  const pids = (await list('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(pids.map((pid) => stat(`/proc/${pid}`).catch(() => null)));
  return new Set(found.flatMap((each) => (each === null ? [] : [each.uid])));
}

/** Refuses what can only be a mistake: a careless recursive removal is the worst that a purge can do. */
export function assertOwnDirectory(directory: string): void {
  const path = resolve(directory);
  const depth = path.split('/').filter((part) => part !== '').length;
  if (
    depth < 2 ||
    ['/usr/local', '/usr/lib', '/var/lib', '/usr/bin', '/home/root', '/var/run', '/usr/local/lib'].includes(path)
  ) {
    throw new TwofoldError('forbidden', `${path} is not a directory of Twofold's: it is not removed.`);
  }
}

/**
 * Everything that a daemon with these settings may have left on the host, its directories included. What may be another
 * daemon's stays, and is told: sentences.
 */
export async function sweep(settings: Settings, progress: (line: string) => void): Promise<readonly string[]> {
  for (const root of [settings.dataRoot, settings.runRoot]) assertOwnDirectory(root);
  const apart = keepApart(settings, othersThan(settings));
  progress('processes');
  await endAll('sandboxes', () => ownProcesses(settings));
  if (apart.ownsCgroups) await removeCgroups(settings.cgroupParent);
  progress('mounts');
  await unmountBelow([settings.runRoot, settings.dataRoot]);
  progress('switches and rules');
  await removeLinks(apart.ownsLink);
  if (apart.ownsRules) await removeRules(settings.linkPrefix);
  await removeUserRecords(userRecords, apart.ownsUser);
  progress(`${settings.dataRoot}, ${settings.runRoot}`);
  for (const path of [settings.dataRoot, settings.runRoot]) await rm(path, { recursive: true, force: true });
  await removeSocket(settings.socket);
  leave(settings);
  return apart.stays;
}

/** A socket may lie anywhere: what is none is not ours. */
async function removeSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (found?.isSocket() === true) await rm(path, { force: true });
}
