// Owns `docker load`: which form an archive has, and the way of its images into the store. Does not own reading the
// archive (archive.ts), what its documents say (load-docker.ts, load-oci.ts) or making layers (layer-store.ts).

import type { Readable } from 'node:stream';
import { TwofoldError } from '@twofold/contract';
import { spoolArchive, type Candidate, type SpooledArchive } from './archive.ts';
import type { ContentStore } from './content-store.ts';
import { checkPlatform, layoutDocument, readDocument, readImage } from './documents.ts';
import type { Image, Tell } from './images.ts';
import type { LayerStore } from './layer-store.ts';
import { dockerCandidates, legacyCandidates } from './load-docker.ts';
import { ociCandidates } from './load-oci.ts';
import type { ImageRecords } from './records.ts';
import { familiarName, shortId, type Reference } from './reference.ts';

export interface LoadParts {
  readonly records: ImageRecords;
  readonly content: ContentStore;
  readonly layers: LayerStore;
  readonly tell: Tell;
}

/** Loads every image of the archive that can run here. All of an image is durable before it is known by name. */
export async function loadArchive(
  parts: LoadParts,
  archive: Readable,
  progress: (line: string) => Promise<void> | void,
  signal: AbortSignal,
): Promise<{ image: Image; added: boolean; tags: readonly Reference[] }[]> {
  using spooled = await spoolArchive(archive, parts.content, signal);
  const loaded = [];
  for (const candidate of await candidates(spooled, signal)) {
    loaded.push({
      ...(await store(parts, candidate, await candidate.config(), progress, signal)),
      tags: candidate.tags,
    });
  }
  return loaded;
}

async function candidates(archive: SpooledArchive, signal: AbortSignal): Promise<Candidate[]> {
  // An archive can be both; docker's own document knows all the names.
  const docker = archive.find('manifest.json');
  if (docker !== undefined) return await dockerCandidates(archive, docker);
  const layout = archive.find('oci-layout');
  const index = archive.find('index.json');
  if (layout !== undefined && index !== undefined) {
    readDocument('oci-layout', layoutDocument, await archive.document(layout));
    return await ociCandidates(archive, await archive.document(index));
  }
  const legacy = await legacyCandidates(archive, signal);
  if (legacy !== null) return legacy;
  throw new TwofoldError(
    'invalid-argument',
    'The archive is not an image: it has neither manifest.json nor an OCI layout (a root file system is what `import` takes).',
  );
}

/** An image whose layers are there, its names, and the telling of it. */
export function addLoaded(
  { records, tell }: LoadParts,
  config: Buffer,
  tags: readonly Reference[],
): { image: Image; added: boolean } {
  return records.together(() => {
    const loaded = records.add(config, '', tags);
    const { id } = loaded.image;
    for (const name of tags.length === 0 ? [id] : tags.map(familiarName)) tell('load', id, name);
    return loaded;
  });
}

async function store(
  parts: LoadParts,
  candidate: Candidate,
  config: Buffer,
  progress: (line: string) => Promise<void> | void,
  signal: AbortSignal,
): Promise<{ image: Image; added: boolean }> {
  const { layers } = parts;
  const image = readImage(config);
  checkPlatform(
    image,
    candidate.tags[0] === undefined ? `The image ${image.id}` : `The image ${familiarName(candidate.tags[0])}`,
  );
  if (image.diffIds.length !== candidate.layers.length)
    throw new TwofoldError(
      'invalid-argument',
      `invalid manifest, layers length mismatch: expected ${image.diffIds.length}, got ${candidate.layers.length}`,
    );
  using _held = layers.hold(image.diffIds);
  // The first layer that fails calls the others off; all have ended before their files go.
  const failure = new AbortController();
  const both = AbortSignal.any([signal, failure.signal]);
  const made = await Promise.allSettled(
    image.diffIds.map(async (diffId, position) => {
      try {
        await layers.addBlob(candidate.layers[position]!, diffId, position, both);
        await progress(`Layer ${position + 1} of ${image.diffIds.length}: ${shortId(diffId)}`);
      } catch (error) {
        failure.abort(error);
        throw error;
      }
    }),
  );
  signal.throwIfAborted();
  if (failure.signal.aborted) throw failure.signal.reason;
  if (made.some(({ status }) => status === 'rejected'))
    throw new TwofoldError('internal', 'A layer could not be made.');
  return addLoaded(parts, config, candidate.tags);
}
