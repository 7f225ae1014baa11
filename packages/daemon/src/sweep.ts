// Owns taking away what a daemon's settings name on the host: processes, cgroups, mounts, links, user records,
// directories. Works without the daemon and from the kernel's tables, so that it also clears up after a crash.
// Idempotent.

import { lstat, readdir, readFile, readlink, realpath, rm, rmdir, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { TwofoldError } from '@twofold/contract';
import { keepApart, type Apart } from './apart.ts';
import { openCgroups } from './host/cgroup/index.ts';
import { runCommand } from './host/command.ts';
import { leave, othersThan } from './instances.ts';
import { removeLinks, removeRules } from './networks/apply.ts';
import type { Settings } from './settings.ts';
import { isDataRoot, isDataRootEntry, someOf } from './state/data-root.ts';

const userRecords = '/run/userdb';
const endTimeoutMs = 10_000;
/** What a daemon has in its run root, besides a socket that it may have elsewhere. */
const isRunRootEntry = (name: string): boolean => /^(sb|layers|sealed|twofold\.sock|twofoldd\.(log|pid))$/.test(name);

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

/** Mount points below the roots, innermost first. A root that is one itself was mounted by somebody else. */
export function mountsBelow(mountinfo: string, roots: readonly string[]): string[] {
  return mountinfo
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .map((path) => path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))))
    .filter((path) => roots.some((root) => path.startsWith(`${root}/`)))
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
 * What of the settings is this daemon's alone. Throws where a purge would take another one's directory, or one that is
 * no daemon's.
 */
export async function ownShare(settings: Settings): Promise<Apart> {
  const [dataRoot, runRoot] = await Promise.all([settings.dataRoot, settings.runRoot].map(withoutLinks));
  for (const root of [dataRoot!, runRoot!]) assertOwnDirectory(root);
  const others = othersThan(settings).map(async (one) => ({
    ...one,
    dataRoot: await withoutLinks(one.dataRoot),
    runRoot: await withoutLinks(one.runRoot),
  }));
  const apart = keepApart({ ...settings, dataRoot: dataRoot!, runRoot: runRoot! }, await Promise.all(others));
  const names = await list(dataRoot!);
  if (names.some((name) => name !== 'lost+found') && !isDataRoot(names))
    throw new TwofoldError('forbidden', `${dataRoot} is not a data root of Twofold's: it is not removed.`);
  return apart;
}

async function withoutLinks(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}

/**
 * Everything that a daemon with these settings may have left on the host, its directories included. What may be
 * somebody else's stays, and is told: sentences.
 */
export async function sweep(settings: Settings, progress: (line: string) => void): Promise<readonly string[]> {
  const apart = await ownShare(settings);
  const roots = await Promise.all([settings.runRoot, settings.dataRoot].map(withoutLinks));
  progress('processes');
  await endAll('sandboxes', () => ownProcesses(settings));
  if (apart.ownsCgroups) await removeCgroups(settings.cgroupParent);
  progress('mounts');
  await unmountBelow(roots);
  progress('switches and rules');
  await removeLinks(apart.ownsLink);
  if (apart.ownsRules) await removeRules(settings.linkPrefix);
  await removeUserRecords(userRecords, apart.ownsUser);
  progress(`${settings.dataRoot}, ${settings.runRoot}`);
  const stays = [
    ...(await removeRoot(settings.dataRoot, isDataRootEntry)),
    ...(await removeRoot(settings.runRoot, isRunRootEntry)),
    ...(await removeSocket(settings.socket)),
  ];
  leave(settings);
  return [...apart.stays, ...stays];
}

/** Removes what is ours of it, and the directory itself unless somebody else has something there. */
export async function removeRoot(path: string, isOurs: (name: string) => boolean): Promise<string[]> {
  const names = await list(path);
  for (const name of names.filter(isOurs)) await rm(join(path, name), { recursive: true, force: true });
  const foreign = names.filter((name) => !isOurs(name));
  if (foreign.length > 0) return [`${path} stays: it has files that are not Twofold's (${someOf(foreign)}).`];
  try {
    await rmdir(await realpath(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EBUSY') return [`${path} stays: it is a mount point.`];
    if (code !== 'ENOENT') throw error;
  }
  // The link by which it was named.
  await rm(path, { force: true });
  return [];
}

/** It may lie anywhere: what is no socket is not ours, nor is one at which somebody listens when our daemon is gone. */
async function removeSocket(path: string): Promise<string[]> {
  const found = await lstat(path).catch(() => null);
  if (found?.isSocket() !== true) return [];
  if (await listens(path)) return [`${path} stays: another program listens there.`];
  await rm(path, { force: true });
  return [];
}

function listens(path: string): Promise<boolean> {
  const { promise, resolve: answer } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once('connect', () => answer(true)).once('error', () => answer(false));
  return promise.finally(() => socket.destroy());
}
