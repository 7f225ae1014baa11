// Owns how much of the disk a directory takes. Does not follow links.

import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes allocated below `directory`, hard links counted once; 0 when it isn't there. */
export async function allocatedBytes(directory: string): Promise<number> {
  const seen = new Set<string>();
  const measure = async (path: string): Promise<number> => {
    const entry = await lstat(path).catch(() => null); // what vanishes meanwhile takes no room
    if (entry === null) return 0;
    if (entry.nlink > 1 && !entry.isDirectory()) {
      const key = `${entry.dev}:${entry.ino}`;
      if (seen.has(key)) return 0;
      seen.add(key);
    }
    let sum = entry.blocks * 512;
    if (entry.isDirectory())
      for (const name of await readdir(path).catch(() => [])) sum += await measure(join(path, name));
    return sum;
  };
  return measure(directory);
}
