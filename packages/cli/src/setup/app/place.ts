// Owns the versions of the installed program below <lib>/app, and `current`, the link to the one that is started. A
// version is a directory that is named after its contents, is put in place whole, and never changes. Everything in it
// belongs to root, and nobody else can write there: what lies there is run by root.
//
//   .new-XXXXXX ─rename▶ 0.1.0-0123456789ab ◀─ current

import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import {
  chmod,
  chown,
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
} from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { bundled } from '@twofold/daemon/host/own-program.ts';
import { libraryParts } from '../../places.ts';

const link = 'current';
const unfinished = '.new-';

/** Where the program is started from: whatever version is the current one. */
export const currentApp = (libRoot: string): string => join(libraryParts(libRoot).app, link);

/** The words that start one of the bundled programs. */
export function appCommand(libRoot: string, program: keyof typeof bundled): [string, ...string[]] {
  const app = currentApp(libRoot);
  return [join(app, 'node'), '--disable-warning=ExperimentalWarning', join(app, bundled[program])];
}

/** The name of the version that is started; null while there is none. */
export async function currentVersion(libRoot: string): Promise<string | null> {
  const name = await readlink(currentApp(libRoot)).catch(() => null);
  return name !== null && existsSync(join(libraryParts(libRoot).app, name)) ? name : null;
}

/**
 * Lets `fill` make a version in an empty directory, and makes it the current one. Whoever starts the program meanwhile
 * starts the one before. Resolves with its name, which begins with `prefix`.
 */
export async function installVersion(
  libRoot: string,
  prefix: string,
  fill: (directory: string) => Promise<void>,
): Promise<string> {
  const { app } = libraryParts(libRoot);
  await mkdir(app, { recursive: true, mode: 0o755 });
  for (const name of await readdir(app))
    if (name.startsWith(unfinished)) await rm(join(app, name), { recursive: true, force: true });
  await using undo = new AsyncDisposableStack();
  const made = await mkdtemp(join(app, unfinished));
  undo.defer(() => rm(made, { recursive: true, force: true }));
  await fill(made);
  await sealTree(made);
  const hash = await hashOf(made);
  const name = `${prefix}-${hash.slice(0, 12)}`;
  if ((await hashOf(join(app, name)).catch(() => '')) !== hash) {
    await rm(join(app, name), { recursive: true, force: true }); // somebody has changed it
    await rename(made, join(app, name));
  }
  await rm(join(app, `${unfinished}${link}`), { force: true });
  await symlink(name, join(app, `${unfinished}${link}`));
  await rename(join(app, `${unfinished}${link}`), join(app, link));
  return name;
}

/**
 * Removes versions that nobody needs any more: not the current one, not the one before it (a command that has just been
 * started may still read files of it), and none that a process runs from.
 */
export async function removeOldVersions(libRoot: string, before: string | null): Promise<void> {
  const { app } = libraryParts(libRoot);
  const running = await runningPrograms();
  const current = await currentVersion(libRoot);
  for (const name of await readdir(app)) {
    if (name === link || name === current || name === before) continue;
    if (!running.some(({ line }) => line.includes(`${join(app, name)}/`)))
      await rm(join(app, name), { recursive: true, force: true });
  }
}

export interface RunningProgram {
  readonly pid: number;
  readonly name: string;
  /** Its file and all its words. */
  readonly line: string;
}

/** What runs on this machine, and from where. */
export async function runningPrograms(): Promise<RunningProgram[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return Promise.all(
    pids.map(async (pid) => {
      const file = await readlink(`/proc/${pid}/exe`).catch(() => '');
      const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return { pid: Number(pid), name: basename(file), line: `${file}\0${words}` };
    }),
  );
}

/** Of a path and, unless `below` is false, all below it: what somebody else than root owns or can write to. */
export async function openToOthers(path: string, { below = true }: { below?: boolean } = {}): Promise<string[]> {
  const found: string[] = [];
  for (const one of below ? await everythingIn(path) : [path]) {
    const each = await lstat(one).catch(() => null); // what a daemon works on may have gone
    // A link has no rights of its own.
    if (each !== null && (each.uid !== 0 || ((each.mode & 0o022) !== 0 && !each.isSymbolicLink()))) found.push(one);
  }
  return found;
}

/** A path and all below it, in a fixed order. */
async function everythingIn(path: string): Promise<string[]> {
  if (!(await lstat(path)).isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return [path, ...entries.map((entry) => join(entry.parentPath, entry.name)).sort()];
}

/** Copies a tree's files; who may read and run them is sealTree's. */
export async function copyTree(source: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const [from, to] = [join(source, entry.name), join(target, entry.name)];
    if (entry.isDirectory()) await copyTree(from, to);
    else if (entry.isFile()) await copyFile(from, to);
  }
}

/** Whatever umask and sources had: everybody reads, root alone writes. */
export async function sealTree(directory: string): Promise<void> {
  for (const path of await everythingIn(directory)) await seal(path);
}

export async function seal(path: string): Promise<void> {
  const found = await lstat(path);
  if (found.isSymbolicLink()) return;
  await chown(path, 0, 0);
  await chmod(path, found.isDirectory() || (found.mode & 0o100) !== 0 ? 0o755 : 0o644);
}

/** In pieces: Node is large. */
export async function digestOf(path: string): Promise<Buffer> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer);
  return hash.digest();
}

/** Of all paths, owners, modes and contents. */
async function hashOf(directory: string): Promise<string> {
  const hash = createHash('sha256');
  for (const path of await everythingIn(directory)) {
    const found = await lstat(path);
    hash.update(`${relative(directory, path)}\0${found.uid}\0${found.mode}\0`);
    if (found.isFile()) hash.update(await digestOf(path));
  }
  return hash.digest('hex');
}
