// Owns how much a container has written, and how much of the disk a directory takes. Does not follow links.

import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isTwofoldError, TwofoldError, type ContainerId } from '@twofold/contract';
import { isUp } from '../lifecycle.ts';
import { writableDirectory } from '../places.ts';
import type { Room } from '../room.ts';
import { answerOf, openFiles } from './files.ts';

/** Bytes of the files that a container has written: of its sealed layers, and of its writable one. */
export async function contentOf(room: Room, id: ContainerId, signal: AbortSignal): Promise<number> {
  const { sealedLayers } = room.records.need(id);
  const sealed = sealedLayers.reduce((sum, { contentBytes, sizeBytes }) => sum + (contentBytes ?? sizeBytes), 0);
  return sealed + (await contentOfWritable(room, id, signal));
}

async function contentOfWritable(room: Room, id: ContainerId, signal: AbortSignal): Promise<number> {
  const { life, isolation } = room.records.need(id);
  const atRest = () => room.driver(isolation).contentAtRest(writableDirectory(room.settings, id));
  const known = isUp(life) ? null : await atRest();
  if (known !== null) return known;
  try {
    await using run = await openFiles(room, id, { verb: 'size' }, signal);
    const text = (await answerOf(run, 'size')).toString('latin1').trim();
    if (!/^\d{1,16}$/.test(text))
      throw new TwofoldError('protocol', 'The size of what a container wrote cannot be read.');
    return Number(text);
  } catch (error) {
    // A VM that an older version started has a tool that does not know the verb.
    if (isTwofoldError(error, 'invalid-argument')) return (await atRest()) ?? 0;
    throw error;
  }
}

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
