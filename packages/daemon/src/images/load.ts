// Owns `docker load`: what the files of an archive (docker's manifest.json, or an OCI layout) mean, and their way into
// the store. Does not own reading the archive (archive.ts) or making layers (layer-store.ts).

import type { Readable } from 'node:stream';
import { TwofoldError, type Digest } from '@twofold/contract';
import { spoolArchive, type SpooledArchive } from './archive.ts';
import type { ContentStore, SpooledFile } from './content-store.ts';
import {
  checkPlatform,
  dockerArchiveDocument,
  hostArchitecture,
  indexDocument,
  layoutDocument,
  manifestDocument,
  mediaTypes,
  readDocument,
  readImage,
  type Descriptor,
} from './documents.ts';
import type { Image, Tell } from './images.ts';
import type { LayerStore } from './layer-store.ts';
import type { ImageRecords } from './records.ts';
import { familiarName, parseReference, shortId, withDefaultTag, type Reference } from './reference.ts';

export interface LoadParts {
  readonly records: ImageRecords;
  readonly content: ContentStore;
  readonly layers: LayerStore;
  readonly tell: Tell;
}

interface Candidate {
  /** Read when its turn comes: a thousand of them would fill the memory. */
  readonly config: SpooledFile;
  readonly layers: readonly SpooledFile[];
  readonly tags: readonly Reference[];
}

/** An index within an index within an index: deeper is nobody's honest archive. */
const nestingLimit = 4;

/** Loads every image of the archive that can run here. All of an image is durable before it is known by name. */
export async function loadArchive(
  parts: LoadParts,
  archive: Readable,
  progress: (line: string) => Promise<void> | void,
  signal: AbortSignal,
): Promise<{ image: Image; added: boolean; tags: readonly Reference[] }[]> {
  using spooled = await spoolArchive(archive, parts.content, signal);
  const loaded = [];
  for (const candidate of await candidates(spooled)) {
    loaded.push({
      ...(await store(parts, candidate, await spooled.document(candidate.config), progress, signal)),
      tags: candidate.tags,
    });
  }
  return loaded;
}

async function candidates(archive: SpooledArchive): Promise<Candidate[]> {
  // An archive can be both; docker's own document knows all the names.
  const docker = archive.find('manifest.json');
  if (docker !== undefined) return await dockerCandidates(archive, docker);
  const layout = archive.find('oci-layout');
  const index = archive.find('index.json');
  if (layout === undefined || index === undefined)
    throw new TwofoldError(
      'invalid-argument',
      'The archive is no image: it has neither manifest.json nor an OCI layout (a root file system is what `import` takes).',
    );
  readDocument('oci-layout', layoutDocument, await archive.document(layout));
  const found = await ociCandidates(archive, await archive.document(index), [], 0);
  if (found.candidates.length === 0)
    throw new TwofoldError(
      found.others.length > 0 ? 'unsupported' : 'invalid-argument',
      found.others.length > 0
        ? `The archive has images for ${[...new Set(found.others)].join(', ')} only; this machine runs linux/${hostArchitecture}.`
        : 'The archive contains no image.',
    );
  return found.candidates;
}

async function dockerCandidates(archive: SpooledArchive, manifest: SpooledFile): Promise<Candidate[]> {
  const list = readDocument('manifest.json', dockerArchiveDocument, await archive.document(manifest));
  if (list.length === 0) throw new TwofoldError('invalid-argument', 'The archive contains no image.');
  return list.map((item) => ({
    config: archive.get(item.Config),
    layers: item.Layers.map((name) => archive.get(name)),
    tags: (item.RepoTags ?? []).map((name) => withDefaultTag(parseReference(name))),
  }));
}

async function ociCandidates(
  archive: SpooledArchive,
  bytes: Buffer,
  inherited: readonly Reference[],
  depth: number,
): Promise<{ candidates: Candidate[]; others: string[] }> {
  if (depth >= nestingLimit)
    throw new TwofoldError('invalid-argument', `The archive nests its indexes deeper than ${nestingLimit}.`);
  const result: { candidates: Candidate[]; others: string[] } = { candidates: [], others: [] };
  // Several names of one image are several lines of an index.
  const byDigest = new Map<Digest, { descriptor: Descriptor; tags: Reference[] }>();
  for (const descriptor of readDocument('index', indexDocument, bytes).manifests) {
    if (descriptor.annotations?.['vnd.docker.reference.type'] !== undefined) continue; // an attestation, not an image
    const { platform } = descriptor;
    if (platform && (platform.os !== 'linux' || platform.architecture !== hostArchitecture)) {
      result.others.push(`${platform.os}/${platform.architecture}`);
      continue;
    }
    const entry = byDigest.get(descriptor.digest) ?? { descriptor, tags: [...inherited] };
    entry.tags.push(...namesOf(descriptor));
    byDigest.set(descriptor.digest, entry);
  }
  for (const { descriptor, tags } of byDigest.values()) {
    const document = await archive.document(archive.blob(descriptor.digest));
    if (descriptor.mediaType === mediaTypes.index || descriptor.mediaType === mediaTypes.dockerIndex) {
      const inner = await ociCandidates(archive, document, tags, depth + 1);
      result.candidates.push(...inner.candidates);
      result.others.push(...inner.others);
    } else {
      const manifest = readDocument('manifest', manifestDocument, document);
      result.candidates.push({
        config: archive.blob(manifest.config.digest),
        layers: manifest.layers.map((layer) => archive.blob(layer.digest)),
        tags,
      });
    }
  }
  return result;
}

/**
 * containerd gives the full name; others write a name or only a tag into the OCI annotation, and a tag alone names
 * nothing.
 */
function namesOf({ annotations }: Descriptor): Reference[] {
  const short = annotations?.['org.opencontainers.image.ref.name'];
  const name =
    annotations?.['io.containerd.image.name'] ?? (short !== undefined && /[:/]/.test(short) ? short : undefined);
  return name === undefined ? [] : [withDefaultTag(parseReference(name))];
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
  if (image.diffIds.length === 0)
    throw new TwofoldError('invalid-argument', 'The archive has an image without a layer: nothing could run in it.');
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
