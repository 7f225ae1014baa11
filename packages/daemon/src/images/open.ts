// Owns the images room as the rest of the house knows it (images.ts): puts the parts together, and tells what happened.
// Does not own any of the work.

import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TwofoldError, type Digest, type ImageId } from '@twofold/contract';
import { layerReader } from '../host/own-program.ts';
import { collect } from '../host/collect.ts';
import { answerLimitBytes } from '../host/layer-tool.ts';
import type { Settings } from '../settings.ts';
import { loadBaseArchives } from './base-archives.ts';
import { isBrokenCompression } from './compression.ts';
import { ContentStore } from './content-store.ts';
import { ImageDescriptions } from './descriptions.ts';
import type { Image, ImageEvent, Images, SealedLayer, Tell } from './images.ts';
import { LayerStore } from './layer-store.ts';
import { stackOf } from './layer-stack.ts';
import { loadArchive } from './load.ts';
import { commitImage, importImage } from './make.ts';
import { ImageRecords, type Rows } from './records.ts';
import { familiarName, idPrefix, parseReference, withDefaultTag, type Reference } from './reference.ts';
import { findImage, removeImage, repositoryTags } from './remove.ts';
import { saveArchive, type SavedImage } from './save.ts';
import { sealedReader } from './sealed.ts';

export interface ImagesParts {
  readonly settings: Pick<Settings, 'dataRoot' | 'runRoot' | 'libRoot' | 'minimumFreeBytes'>;
  readonly rows: Rows;
  /** Where files go that no row knows. */
  readonly lose: (path: string) => void;
  /** The programs twofold-layer and twofold-cell; the library's. */
  readonly layerTool?: string;
  readonly cell?: string;
}

/** Opens the store below the data root (which exists), and puts aside what no row knows. */
export function openImages({
  settings,
  rows,
  lose,
  layerTool = join(settings.libRoot, 'bin', 'twofold-layer'),
  cell = join(settings.libRoot, 'bin', 'twofold-cell'),
}: ImagesParts): Images {
  const descriptions = new ImageDescriptions(settings.dataRoot);
  const records = new ImageRecords(rows, descriptions);
  records.ensureDescribed();
  descriptions.keepOnly((id) => records.get(id) !== undefined, lose);
  const content = new ContentStore(settings.dataRoot, settings.minimumFreeBytes);
  const layers = new LayerStore(settings.dataRoot, records, content, { cell, program: layerReader }, lose);
  const listeners: ((event: ImageEvent) => void)[] = [];
  const tell: Tell = (action, id, reference) => {
    for (const listener of listeners) listener({ action, id, reference });
  };
  const parts = { records, content, layers, tell, readSealed: sealedReader(settings.runRoot, layerTool) };
  /** Work that makes layers: layers that it leaves without an image go when it fails. */
  const making = async <T>(signal: AbortSignal, source: Readable, work: () => Promise<T>): Promise<T> => {
    try {
      return await stopping(signal, source, work);
    } catch (error) {
      layers.collect();
      throw error;
    }
  };
  const find = (reference: string) => findImage(records, reference, idPrefix(reference));

  const seal = async (diff: Readable, directory: string, signal: AbortSignal): Promise<SealedLayer | null> => {
    const name = randomBytes(16).toString('hex');
    const path = join(directory, `${name}.erofs`);
    const { diffId, sizeBytes, contentBytes, entries } = await stopping(signal, diff, () =>
      layers.seal(diff, path, signal),
    );
    if (entries === 0) {
      rmSync(path);
      return null;
    }
    return { path, name, diffId: diffId as Digest, sizeBytes, contentBytes };
  };

  const readSealed = (
    id: ImageId,
    sealed: readonly SealedLayer[],
    what: 'private' | 'changes',
    signal: AbortSignal,
  ) => {
    const over = stackOf(present(records, id).diffIds).map((diffId) => layers.path(diffId));
    return parts.readSealed(sealed.map(({ path }) => path).toReversed(), over, what, signal);
  };

  return {
    find: (reference) => find(reference).image,
    list: () => records.list(),
    layers: (id) => stackOf(present(records, id).diffIds).map((diffId) => layers.imageLayer(diffId)),

    async load(archive, progress, signal) {
      const loaded = await making(signal, archive, () => loadArchive(parts, archive, progress, signal));
      return loaded.map(({ image }) => present(records, image.id));
    },

    async save(references, out, signal) {
      const chosen = new Map<ImageId, SavedImage & { names: Reference[] }>();
      using held = new DisposableStack();
      for (const given of references) {
        for (const { image, name } of savedNames(records, given)) {
          const saved = chosen.get(image.id) ?? {
            id: image.id,
            names: [],
            layers: image.diffIds.map((diffId) => layers.get(diffId)!),
          };
          if (name !== null && !saved.names.some((other) => familiarName(other) === familiarName(name)))
            saved.names.push(name);
          held.use(layers.hold(image.diffIds));
          chosen.set(image.id, saved);
        }
      }
      await pipeline(saveArchive([...chosen.values()], records, content), out as Writable, { signal });
    },

    async import(tar, options, signal) {
      const reference = options.reference === null ? null : target(options.reference);
      return making(signal, tar, () => importImage(parts, tar, { ...options, reference }, signal));
    },

    async commit(parent, sealed, diff, options, signal) {
      const reference = options.reference === null ? null : target(options.reference);
      return making(signal, diff, () => commitImage(parts, parent, sealed, diff, { ...options, reference }, signal));
    },

    tag(source, name) {
      const reference = target(name);
      const { id } = find(source).image;
      return records.together(() => {
        tell('tag', id, familiarName(reference));
        return records.tag(id, reference);
      });
    },

    remove(given, options) {
      const { image, named } = find(given);
      const { untagged, deleted } = records.makingRoom(() => {
        const result = removeImage(records, given, image, named, options);
        for (const name of result.untagged) tell('untag', image.id, name);
        for (const id of result.deleted) tell('delete', id, id);
        return result;
      });
      return { untagged, deleted: [...deleted, ...(deleted.length === 0 ? [] : layers.collect())] };
    },

    seal,

    async mergeSealed(id, sealed, directory, signal) {
      await using source = await readSealed(id, sealed, 'private', signal);
      const layer = await seal(source.output, directory, signal);
      await source.done;
      return layer;
    },

    async sealedChanges(id, sealed, signal) {
      await using source = await readSealed(id, sealed, 'changes', signal);
      const list = await collect(source.output, answerLimitBytes.changes);
      await source.done;
      return list;
    },

    async ensureBaseImages(signal) {
      await loadBaseArchives(parts, settings.libRoot, signal);
      // A rebuilt base image leaves its predecessor without a name; containers may still use it, so it stays until
      // somebody removes it.
    },

    onEvent(listener) {
      listeners.push(listener);
    },
  };
}

function present(records: ImageRecords, id: ImageId): Image {
  const image = records.get(id);
  if (image === undefined) throw new TwofoldError('image-not-found', `No such image: ${id}`);
  return image;
}

/** A name that an image is to get. */
function target(text: string): Reference {
  const reference = parseReference(text);
  if (reference.digest !== null)
    throw new TwofoldError('invalid-argument', 'refusing to create a tag with a digest reference');
  return withDefaultTag(reference);
}

/** A repository without a tag stands for all its tags, as for `docker save`; an id for an image without names. */
function savedNames(records: ImageRecords, given: string): { image: Image; name: Reference | null }[] {
  const prefix = idPrefix(given);
  if (prefix?.length !== 64) {
    const reference = /^sha256:/i.test(given) ? null : parseReference(given);
    if (reference !== null && reference.tag === null && reference.digest === null) {
      const all = repositoryTags(records, reference).map((name) => ({ image: records.byReference(name)!, name }));
      if (all.length > 0) return all;
    }
  }
  const { image, named } = findImage(records, given, prefix);
  const stored = named === null ? undefined : records.tagName(named);
  return [{ image, name: stored === undefined ? null : parseReference(stored) }];
}

/** A call-off reaches the source at once, and errors are told in our words. */
async function stopping<T>(signal: AbortSignal, source: Readable, work: () => Promise<T>): Promise<T> {
  const stop = () =>
    source.destroy(new TwofoldError('cancelled', 'The transfer of an image was cancelled.', { cause: signal.reason }));
  source.on('error', () => undefined); // whoever reads it gets the error too
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await work();
  } catch (error) {
    if (isBrokenCompression(error))
      throw new TwofoldError('invalid-argument', 'The compressed archive is damaged.', { cause: error });
    if (error instanceof TwofoldError || !signal.aborted) throw error;
    throw new TwofoldError('cancelled', 'The transfer of an image was cancelled.', { cause: error });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
