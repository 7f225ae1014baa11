// Owns the way of the built-in base images from the library (<libRoot>/base-images/*.tar, OCI archives that set-up
// built) into a store, and the cache beside them: <libRoot>/base-images/cache/<archive>/ keeps blobs and EROFS files of
// the first store that loaded an archive, so that a further data root only links them. Does not own building the
// archives. What the user removes stays removed until the archive changes.

import { createHash, randomBytes } from 'node:crypto';
import {
  constants,
  copyFileSync,
  createReadStream,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import * as v from 'valibot';
import { addLoaded, loadArchive, type LoadParts } from './load.ts';
import { hexOf } from './content-store.ts';
import type { Image } from './images.ts';
import type { StoredLayer } from './records.ts';
import { canonicalName, isDigest, parseReference, type Reference } from './reference.ts';
import type { Digest, ImageId } from '@twofold/contract';

const digest = v.custom<Digest>((value) => typeof value === 'string' && isDigest(value));
const cacheDocument = v.object({
  stamp: v.string(),
  digest: v.string(),
  images: v.array(v.object({ config: v.string(), tags: v.array(v.string()), layers: v.array(digest) })),
  layers: v.array(
    v.object({
      diffId: digest,
      blob: digest,
      compression: v.picklist(['none', 'gzip', 'zstd']),
      blobBytes: v.number(),
      sizeBytes: v.number(),
      contentBytes: v.number(),
    }),
  ),
});
type Cache = v.InferOutput<typeof cacheDocument>;

export interface LoadedBase {
  readonly image: Image;
  readonly tags: readonly Reference[];
}

/** Loads the archives that this store does not know yet. With nothing to do it costs one stat for each archive. */
export async function loadBaseArchives(parts: LoadParts, libRoot: string, signal: AbortSignal): Promise<void> {
  const directory = join(libRoot, 'base-images');
  for (const file of listArchives(directory)) {
    signal.throwIfAborted();
    const path = join(directory, file);
    const { size, mtimeNs, ino } = statSync(path, { bigint: true });
    const stamp = `${size}-${mtimeNs}-${ino}`;
    const known = parts.records.baseArchive(file);
    if (known?.stamp === stamp) continue;
    const cacheDirectory = join(directory, 'cache', file);
    const cache = readCache(cacheDirectory, stamp);
    const hash = cache?.digest ?? (await hashFile(path, signal));
    if (known?.digest !== hash) {
      const fromCache = cache === null ? null : await loadFromCache(parts, cacheDirectory, cache);
      if (fromCache === null) {
        using opened = new DisposableStack();
        const archive = opened.adopt(
          createReadStream(path, { highWaterMark: 1 << 20 }),
          (stream) => void stream.destroy(),
        );
        const images = await loadArchive(parts, archive, () => undefined, signal);
        writeCache(parts, cacheDirectory, { stamp, digest: hash }, images);
      }
    }
    parts.records.setBaseArchive(file, stamp, hash);
  }
}

function listArchives(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith('.tar'))
      .toSorted();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; // set-up has built none
    throw error;
  }
}

async function hashFile(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of Readable.from(createReadStream(path, { highWaterMark: 1 << 20, signal }), {
    objectMode: false,
  }))
    hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}

/** Null when there is none for this very archive, or when others than its owner could have written it. */
function readCache(directory: string, stamp: string): Cache | null {
  try {
    if (!isOurs(directory)) return null;
    const result = v.safeParse(cacheDocument, JSON.parse(readFileSync(join(directory, 'cache.json'), 'utf8')));
    return result.success && result.output.stamp === stamp ? result.output : null;
  } catch {
    return null; // none, or not whole: the archive itself has everything
  }
}

function isOurs(directory: string): boolean {
  const { uid, mode } = lstatSync(directory);
  return uid === process.geteuid!() && (mode & 0o077) === 0;
}

async function loadFromCache(parts: LoadParts, directory: string, cache: Cache): Promise<LoadedBase[] | null> {
  const { content, layers } = parts;
  using _held = layers.hold(cache.layers.map(({ diffId }) => diffId));
  try {
    for (const layer of cache.layers) {
      if (layers.get(layer.diffId) !== undefined) continue;
      const files = { blob: content.temporaryPath(), erofs: content.temporaryPath() };
      share(join(directory, `${hexOf(layer.blob)}.blob`), files.blob);
      share(join(directory, `${hexOf(layer.diffId)}.erofs`), files.erofs);
      if (statSync(files.blob).size !== layer.blobBytes || statSync(files.erofs).size !== layer.sizeBytes) return null;
      await layers.adopt(layer, files);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null; // another daemon is renewing the cache
    throw error;
  }
  return cache.images.map(({ config, tags }) => {
    const references = tags.map((tag) => parseReference(tag));
    return { image: addLoaded(parts, Buffer.from(config, 'base64'), references).image, tags: references };
  });
}

/** A cache that can't be written (a read-only library, a full disk) costs the next data root time and nothing else. */
function writeCache(
  { records, content, layers }: LoadParts,
  directory: string,
  about: { stamp: string; digest: string },
  images: readonly LoadedBase[],
): void {
  const fresh = `${directory}.${randomBytes(6).toString('hex')}.new`;
  try {
    mkdirSync(fresh, { recursive: true, mode: 0o700 });
    const stored = [...new Set(images.flatMap(({ image }) => image.diffIds))].map((diffId): StoredLayer =>
      layers.get(diffId)!,
    );
    const cache: Cache = {
      ...about,
      images: images.map(({ image, tags }) => ({
        config: records.config(image.id as ImageId).toString('base64'),
        tags: tags.map(canonicalName),
        layers: [...image.diffIds],
      })),
      layers: stored.map((layer) => ({ ...layer, contentBytes: layer.contentBytes ?? layer.sizeBytes })),
    };
    for (const { blob, diffId } of stored) {
      share(content.path(blob), join(fresh, `${hexOf(blob)}.blob`));
      share(layers.path(diffId), join(fresh, `${hexOf(diffId)}.erofs`));
    }
    writeFileSync(join(fresh, 'cache.json'), JSON.stringify(cache));
    rmSync(directory, { recursive: true, force: true });
    renameSync(fresh, directory);
  } catch {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** A link where both are on one file system, otherwise a copy (of extents, where the file system can). */
function share(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK' && code !== 'EEXIST') throw error;
    if (code !== 'EEXIST') copyFileSync(from, to, constants.COPYFILE_FICLONE);
  }
}
