// Owns a container's writable layer of this kind: upper/ and work/ of an overlay, in the directory that the engine
// gives.

import { chmod, chown, lstat, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../host/command.ts';

export interface Writable {
  readonly upper: string;
  readonly work: string;
}

export function writableOf(directory: string): Writable {
  return { upper: join(directory, 'upper'), work: join(directory, 'work') };
}

/**
 * Made if need be. The upper directory's mode and owner are those of the container's `/`: those of `like`, a mounted
 * layer, or root's.
 */
export async function makeWritable(directory: string, like: string | null): Promise<Writable> {
  const writable = writableOf(directory);
  await mkdir(writable.work, { recursive: true, mode: 0o700 });
  if (
    await stat(writable.upper).then(
      () => true,
      () => false,
    )
  )
    return writable;
  // Under another name until it is right: a crash in between must not leave it half made.
  const fresh = `${writable.upper}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o755 });
  if (like !== null) {
    const { mode, uid, gid } = await stat(like);
    await chown(fresh, uid, gid);
    await chmod(fresh, mode & 0o7777);
    await runCommand('give a writable layer its time', ['touch', '--reference', like, fresh]); // Node's own call rounds
  }
  await rename(fresh, writable.upper);
  return writable;
}

/** See Driver.discardWritable. */
export async function discardWritable(directory: string, keep?: (path: string) => void): Promise<void> {
  const { upper, work } = writableOf(directory);
  if (keep !== undefined && (await hasWritable(directory))) keep(upper);
  await rm(upper, { recursive: true, force: true });
  await rm(work, { recursive: true, force: true });
}

/** Whether there is one; what was done to `/` itself shows in no entry, so an empty one counts. */
export function hasWritable(directory: string): Promise<boolean> {
  return stat(writableOf(directory).upper).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}

/** Bytes of its files and symlinks, one with several names counted once; 0 where there is none. */
export async function contentOf(directory: string): Promise<number> {
  const seen = new Set<string>();
  const measure = async (path: string): Promise<number> => {
    const entry = await lstat(path).catch(() => null); // what vanishes meanwhile takes no room
    if (entry === null) return 0;
    if (entry.isDirectory()) {
      let sum = 0;
      for (const name of await readdir(path).catch(() => [])) sum += await measure(join(path, name));
      return sum;
    }
    if (!entry.isFile() && !entry.isSymbolicLink()) return 0;
    const key = `${entry.dev}:${entry.ino}`;
    if (entry.nlink > 1 && seen.has(key)) return 0;
    if (entry.nlink > 1) seen.add(key);
    return entry.size;
  };
  return measure(writableOf(directory).upper);
}
