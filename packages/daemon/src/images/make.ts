// Owns new images that are made here: `docker import` (one layer from a root file system) and `docker commit` (a
// container's changes above its image). Does not own where the changes come from: the caller brings them as layer tars.

import type { Readable } from 'node:stream';
import type { Digest, ImageConfig, ImageId } from '@twofold/contract';
import { TwofoldError } from '@twofold/contract';
import { hostArchitecture, layerLimit, writeImage } from './documents.ts';
import type { Image, SealedLayer, Tell } from './images.ts';
import { applyChanges } from './instructions.ts';
import type { LayerStore } from './layer-store.ts';
import type { ImageRecords } from './records.ts';
import { familiarName, type Reference } from './reference.ts';
import type { SealedReader } from './sealed.ts';

export interface MakeParts {
  readonly records: ImageRecords;
  readonly layers: LayerStore;
  readonly tell: Tell;
  readonly readSealed: SealedReader;
}

/** One layer, one image. */
export async function importImage(
  { records, layers, tell }: MakeParts,
  tar: Readable,
  options: { reference: Reference | null; changes: readonly string[]; message: string },
  signal: AbortSignal,
): Promise<Image> {
  const config = applyChanges({}, options.changes);
  using made = await layers.addStream(tar, signal);
  if (made.layer === null) throw new TwofoldError('invalid-argument', 'The archive is empty: nothing could run in it.');
  const created = new Date().toISOString();
  const comment = options.message === '' ? 'Imported from -' : options.message;
  const bytes = writeImage({
    created,
    architecture: hostArchitecture,
    author: '',
    comment,
    config,
    diffIds: [made.layer.diffId],
    history: [{ created, comment }],
  });
  const { reference } = options;
  return records.together(() => {
    const { image } = records.add(bytes, '', reference === null ? [] : [reference]);
    tell('import', image.id, reference === null ? image.id : familiarName(reference));
    return image;
  });
}

export interface CommitOptions {
  readonly reference: Reference | null;
  readonly changes: readonly string[];
  readonly config: ImageConfig;
  readonly message: string;
  readonly author: string;
  readonly createdBy: string;
}

/** The parent's layers, the container's sealed ones made public, and its changes. */
export async function commitImage(
  { records, layers, tell, readSealed }: MakeParts,
  parent: ImageId,
  sealed: readonly SealedLayer[],
  diff: Readable,
  options: CommitOptions,
  signal: AbortSignal,
): Promise<Image> {
  using held = new DisposableStack();
  const base = records.get(parent);
  if (base === undefined) throw new TwofoldError('image-not-found', `No such image: ${parent}`);
  // What the container itself does not have: nothing here runs either.
  const { OnBuild, Healthcheck } = base.config;
  const config = applyChanges(
    {
      ...options.config,
      ...(OnBuild === undefined ? {} : { OnBuild: [...OnBuild, ...(options.config.OnBuild ?? [])] }),
      ...(Healthcheck === undefined ? {} : { Healthcheck: { ...Healthcheck, ...options.config.Healthcheck } }),
    },
    options.changes,
  );
  if (base.diffIds.length + sealed.length + 1 > layerLimit)
    throw new TwofoldError('conflict', `max depth exceeded: an image has at most ${layerLimit} layers`);
  held.use(layers.hold(base.diffIds));
  const added: Digest[] = [];
  for (const { path } of sealed) {
    await using source = await readSealed([path], [], 'oci', signal);
    // Only when the reader has ended well is what came out of it the whole.
    const made = held.use(await layers.addStream(source.output, signal));
    await source.done;
    if (made.layer !== null) added.push(made.layer.diffId);
  }
  const sealedCount = added.length;
  const { layer: own } = held.use(await layers.addStream(diff, signal));
  if (own !== null) added.push(own.diffId);
  const created = new Date().toISOString();
  const step = {
    created,
    created_by: options.createdBy,
    ...(own === null ? { empty_layer: true } : {}),
    ...(options.author === '' ? {} : { author: options.author }),
    ...(options.message === '' ? {} : { comment: options.message }),
  };
  const bytes = writeImage({
    created,
    architecture: base.architecture,
    author: options.author,
    comment: options.message,
    config,
    diffIds: [...base.diffIds, ...added],
    history: [
      ...base.history,
      ...Array.from({ length: sealedCount }, () => ({ created, created_by: 'conversion between isolations' })),
      step,
    ],
  });
  const { reference } = options;
  return records.together(() => {
    const { image } = records.add(bytes, parent, reference === null ? [] : [reference]);
    if (reference !== null) tell('tag', image.id, familiarName(reference));
    return image;
  });
}
