// Owns giving back the room that a log takes, while its writer may still have it open.

import { rm, truncate } from 'node:fs/promises';
import { nameOf } from './files.ts';

/** More than a setting may ask for. */
const mostFiles = 1_000;

/** Nothing is left of it; what its writer still has to say begins it anew. */
export async function discardLog(path: string): Promise<void> {
  await truncate(path).catch(absent);
  for (let age = 1; age <= mostFiles; age++) {
    const isThere = await rm(nameOf(path, age)).then(
      () => true,
      (error: NodeJS.ErrnoException) => absent(error),
    );
    if (!isThere) return;
  }
}

function absent(error: NodeJS.ErrnoException): false {
  if (error.code === 'ENOENT') return false;
  throw error;
}
