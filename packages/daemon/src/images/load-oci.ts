// Owns what an OCI layout says of its images: which of the things that an index names are images for this machine, and
// their names. Beside them lie images for others, attestations (BuildKit), signatures and whatever else is tied to an
// image (cosign, ORAS): those are passed over. Source:
// https://github.com/opencontainers/image-spec/blob/v1.1.0/{image-layout,image-index,manifest,annotations}.md

import { TwofoldError, type Digest } from '@twofold/contract';
import type { Candidate, SpooledArchive } from './archive.ts';
import {
  hostArchitecture,
  indexDocument,
  manifestDocument,
  mediaTypes,
  ownPlatform,
  platformDocument,
  readDocument,
  type Descriptor,
  type Manifest,
} from './documents.ts';
import { parseReference, withDefaultTag, type Reference } from './reference.ts';

/** An index within an index within an index: deeper is nobody's honest archive. */
const nestingLimit = 4;
/** Indexes and manifests that are read of one archive: each index could name all the others. */
const documentsLimit = 1024;

interface Search {
  readonly archive: SpooledArchive;
  readonly candidates: Candidate[];
  /** Platforms that images were for. */
  readonly others: Set<string>;
  documents: number;
}

/** The images of a layout whose index.json is `index`; one at least. */
export async function ociCandidates(archive: SpooledArchive, index: Buffer): Promise<Candidate[]> {
  const search: Search = { archive, candidates: [], others: new Set(), documents: 0 };
  await searchIndex(search, index, [], 0);
  if (search.candidates.length > 0) return search.candidates;
  if (search.others.size === 0) throw new TwofoldError('invalid-argument', 'The archive contains no image.');
  throw new TwofoldError(
    'unsupported',
    `The archive has images for ${[...search.others].join(', ')} only; this machine runs linux/${hostArchitecture}.`,
  );
}

async function searchIndex(
  search: Search,
  bytes: Buffer,
  inherited: readonly Reference[],
  depth: number,
): Promise<void> {
  if (depth >= nestingLimit)
    throw new TwofoldError('invalid-argument', `The archive nests its indexes deeper than ${nestingLimit}.`);
  // Several names of one image are several lines of an index.
  const byDigest = new Map<Digest, { descriptor: Descriptor; tags: Reference[] }>();
  for (const descriptor of readDocument('index', indexDocument, bytes).manifests ?? []) {
    const { platform, annotations } = descriptor;
    if (annotations?.['vnd.docker.reference.type'] !== undefined) continue; // an attestation
    if (platform?.os === 'unknown' && platform.architecture === 'unknown') continue; // one that does not say so
    if (platform?.os && platform.architecture && !ownPlatform(platform)) {
      search.others.add(`${platform.os}/${platform.architecture}${platform.variant ? `/${platform.variant}` : ''}`);
      continue;
    }
    const entry = byDigest.get(descriptor.digest) ?? { descriptor, tags: [...inherited] };
    entry.tags.push(...namesOf(descriptor));
    byDigest.set(descriptor.digest, entry);
  }
  for (const { descriptor, tags } of byDigest.values()) {
    if (++search.documents > documentsLimit)
      throw new TwofoldError('invalid-argument', `The archive has more than ${documentsLimit} manifests.`);
    const document = await search.archive.document(search.archive.blob(descriptor.digest));
    if (descriptor.mediaType === mediaTypes.index || descriptor.mediaType === mediaTypes.dockerIndex)
      await searchIndex(search, document, tags, depth + 1);
    else await takeManifest(search, readDocument('manifest', manifestDocument, document), tags);
  }
}

async function takeManifest(
  { archive, candidates, others }: Search,
  manifest: Manifest,
  tags: readonly Reference[],
): Promise<void> {
  if (!isImage(manifest)) return;
  const config = archive.blob(manifest.config!.digest);
  const { os, architecture } = readDocument('image configuration', platformDocument, await archive.document(config));
  if (!ownPlatform({ os, architecture })) return void others.add(`${os}/${architecture}`);
  candidates.push({
    config: () => archive.document(config),
    layers: (manifest.layers ?? []).map((layer) => archive.blob(layer.digest)),
    tags,
  });
}

const layerType =
  /^(?:|application\/vnd\.oci\.image\.layer\.(?:nondistributable\.)?v1\.tar.*|application\/vnd\.docker\.image\.rootfs\.(?:foreign\.)?diff\.tar.*)$/;

/** A signature has an image's configuration type too, but its layers are none. */
function isImage({ config, layers }: Manifest): boolean {
  const types: readonly string[] = ['', mediaTypes.config, mediaTypes.dockerConfig, 'application/octet-stream'];
  if (!config || !types.includes(config.mediaType) || !(layers ?? []).every((one) => layerType.test(one.mediaType)))
    return false;
  if (layers?.some(({ mediaType }) => mediaType.endsWith('+encrypted')))
    throw new TwofoldError('unsupported', 'The archive has an image whose layers are encrypted.');
  return true;
}

/**
 * containerd gives the full name; others write a name, only a tag or something of their own into the OCI annotation,
 * and a tag alone names nothing. A name by a digest is none that could be given.
 */
function namesOf({ annotations }: Descriptor): Reference[] {
  const full = annotations?.['io.containerd.image.name'];
  const free = annotations?.['org.opencontainers.image.ref.name'];
  const name =
    full !== undefined ? parseReference(full) : free !== undefined && /[:/]/.test(free) ? nameIn(free) : null;
  return name === null || name.digest !== null ? [] : [withDefaultTag(name)];
}

/** Null for a text that is no name: the annotation may hold any. */
function nameIn(text: string): Reference | null {
  try {
    return parseReference(text);
  } catch {
    return null;
  }
}
