// Owns the sealed layers of a container on disk: beside each `NAME.erofs` lies `NAME.changes`, the list of what it
// changed, since a layer alone does not say which of its files are new. Does not make layers: images/ does.

import { open, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { SealedLayer } from '../../images/images.ts';
import { formatChanges, parseChanges, type Change } from './changes.ts';

const changesPath = (layer: Pick<SealedLayer, 'path'>) => `${layer.path}.changes`;

/** On the disk, layer and list, when this resolves. */
export async function settleSealed(layer: SealedLayer, changes: readonly Change[]): Promise<void> {
  await writeFile(changesPath(layer), formatChanges(changes), { mode: 0o600 });
  for (const path of [layer.path, changesPath(layer), dirname(layer.path)]) {
    await using file = await open(path, 'r');
    await file.sync();
  }
}

/** One list for each layer, oldest first. */
export function readSealedChanges(layers: readonly SealedLayer[]): Promise<Change[][]> {
  return Promise.all(layers.map(async (layer) => parseChanges(await readFile(changesPath(layer)))));
}

/** Takes away, by `remove`, what is in `directory` and belongs to none of `layers`. */
export async function sweepSealed(
  directory: string,
  layers: readonly SealedLayer[],
  remove: (path: string) => Promise<void> | void = (path) => rm(path, { recursive: true, force: true }),
): Promise<string[]> {
  const wanted = new Set(layers.flatMap((layer) => [basename(layer.path), basename(changesPath(layer))]));
  const found = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const orphans = found.filter((name) => !wanted.has(name));
  for (const name of orphans) await remove(join(directory, name));
  return orphans;
}
