// Owns the data root as a directory: that it is there and nobody's but root's, whatever an earlier version left. Does
// not own what is in it.

import { chmodSync, closeSync, lstatSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Makes the directory where it lacks, and closes it. Rows, logs and layers hold passwords, so nothing in it is for
 * others; what must reach an unprivileged process (a worker's disks, the layer reader's input) goes there as an open
 * descriptor.
 */
export function makeDataRoot(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  unlessThere(() => mkdirSync(path, { mode: 0o700 }));
  // Whoever had a file open or a directory entered before gets no further: each is closed as well.
  for (const name of ['.', ...readdirSync(path)]) withdraw(join(path, name));
}

/** Takes every right from everybody but the owner. */
function withdraw(path: string): void {
  const { mode } = lstatSync(path);
  if ((mode & 0o077) !== 0 && (mode & 0o170000) !== 0o120000) chmodSync(path, mode & 0o7700);
}

/**
 * Makes an empty file that nobody else may read, where there is none. One that is there is not opened: to close it
 * again would give up the locks that this process has on it.
 */
export function makePrivateFile(path: string): void {
  unlessThere(() => closeSync(openSync(path, 'wx', 0o600)));
}

function unlessThere(make: () => void): void {
  try {
    make();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
