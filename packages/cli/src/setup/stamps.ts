// Owns the stamps of finished steps: a hash of a step's inputs, one file each. A lost stamp only costs doing the step
// again.

import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One key for all that a step depends on. */
export function keyOf(inputs: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const input of inputs) hash.update(`${input.length}:`).update(input);
  return hash.digest('hex');
}

export async function readStamp(directory: string, name: string): Promise<string | null> {
  return readFile(join(directory, name), 'utf8').catch(() => null);
}

export async function writeStamp(directory: string, name: string, key: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, `${name}.new`), key);
  await rename(join(directory, `${name}.new`), join(directory, name));
}

/** Paths and contents of every file below `directory`, but those that `leaveOut` tells, in a fixed order. */
export async function treeOf(
  directory: string,
  leaveOut: (path: string) => boolean = () => false,
): Promise<(string | Uint8Array)[]> {
  const entries = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
  const paths = entries
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !leaveOut(path))
    .sort();
  const parts: (string | Uint8Array)[] = [];
  for (const path of paths) parts.push(path.slice(directory.length), await readFile(path));
  return parts;
}
