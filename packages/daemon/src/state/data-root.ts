// Owns the data root as a directory: that it is there and nobody's but root's, whatever an earlier version left, and
// what in it is Twofold's. Does not own what those entries are.

import { chmodSync, closeSync, lstatSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TwofoldError } from '@twofold/contract';

const own =
  /^((state|lock)\.db(\.new)?(-wal|-shm|-journal)?|(identity|networks\.json|daemon\.pid|reserve)(\.new)?|blobs|containers|hyperv|images|ingest|layers|lost\+found|removing)$/;
/** A start makes the first of them before anything else. */
const marks = ['daemon.pid', 'lock.db', 'state.db', 'identity'];
const mostNames = 3;

/** What a daemon may have in its data root; whatever else lies there is somebody else's. */
export const isDataRootEntry = (name: string): boolean => own.test(name);

/** A daemon has begun in the directory that has these entries; other directories may have some of the names, too. */
export const isDataRoot = (names: readonly string[]): boolean => names.some((name) => marks.includes(name));

/** For a sentence about them. */
export function someOf(names: readonly string[]): string {
  const more = names.length > mostNames ? ', …' : '';
  return `${names
    .slice(0, mostNames)
    .map((name) => JSON.stringify(name))
    .join(', ')}${more}`;
}

/**
 * Makes the directory where it lacks, and closes it. Throws `conflict` and changes nothing where somebody else's is.
 * Rows, logs and layers hold passwords, so nothing in it is for others; what must reach an unprivileged process (a
 * worker's disks, the layer reader's input) goes there as an open descriptor.
 */
export function makeDataRoot(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  unlessThere(() => mkdirSync(path, { mode: 0o700 }));
  const names = readdirSync(path);
  const foreign = names.filter((name) => !isDataRootEntry(name));
  if (foreign.length > 0 && !isDataRoot(names))
    throw new TwofoldError(
      'conflict',
      `${path} is not a data root: it has files that are not Twofold's (${someOf(foreign)}). Give --data-root an empty directory.`,
    );
  // Whoever had a file open or a directory entered before gets no further: each is closed as well.
  for (const name of ['.', ...names.filter(isDataRootEntry)]) withdraw(join(path, name));
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
