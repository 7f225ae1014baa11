// Owns the telling and the emptying of lost+found. What gets there, the rooms decide.

import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { LostAndFound } from '../state/lost-and-found.ts';
import { allocatedBytes } from './containers/size.ts';
import type { LostThing } from './engine.ts';

export async function lostThings(lost: LostAndFound): Promise<LostThing[]> {
  return Promise.all(
    lost.paths().map(async (path) => {
      const place = join(lost.directory, path);
      const [bytes, { ctimeMs }] = await Promise.all([allocatedBytes(place), lstat(place)]);
      return { path, bytes, changedAt: ctimeMs };
    }),
  );
}

/** Gives what there was. */
export async function emptyLost(lost: LostAndFound): Promise<LostThing[]> {
  const things = await lostThings(lost);
  await lost.empty();
  return things;
}
