// Owns what a docker archive says of its images: manifest.json (Docker from 1.10 on, and all who write its form), and
// the form before it, one directory for each layer and the file `repositories` (Docker up to 1.9). Source:
// https://github.com/moby/docker-image-spec/tree/v1.3.1

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { TwofoldError, type Digest } from '@twofold/contract';
import type { Candidate, SpooledArchive } from './archive.ts';
import { decompress } from './compression.ts';
import type { SpooledFile } from './content-store.ts';
import {
  dockerArchiveDocument,
  layerLimit,
  readDocument,
  repositoriesDocument,
  v1ImageDocument,
  type V1Image,
} from './documents.ts';
import { parseReference, withDefaultTag, type Reference } from './reference.ts';

export async function dockerCandidates(archive: SpooledArchive, manifest: SpooledFile): Promise<Candidate[]> {
  const list = readDocument('manifest.json', dockerArchiveDocument, await archive.document(manifest));
  if (list.length === 0) throw new TwofoldError('invalid-argument', 'The archive contains no image.');
  return list.map((item) => {
    const config = archive.get(item.Config);
    return {
      config: () => archive.document(config),
      layers: (item.Layers ?? []).map((name) => archive.get(name)),
      tags: (item.RepoTags ?? []).map((name) => withDefaultTag(parseReference(name))),
    };
  });
}

const layerDirectory = /^([0-9a-f]{64})\/json$/;

/** Null for an archive that is not of the old form. Images are those with names, or else those below no other. */
export async function legacyCandidates(archive: SpooledArchive, signal: AbortSignal): Promise<Candidate[] | null> {
  const ids = archive.names().flatMap((name) => layerDirectory.exec(name)?.[1] ?? []);
  const repositories = archive.find('repositories');
  if (ids.length === 0) return null;
  const images = new Map<string, V1Image>();
  for (const id of ids)
    images.set(id, readDocument(`${id}/json`, v1ImageDocument, await archive.document(archive.get(`${id}/json`))));
  const tags = new Map<string, Reference[]>();
  if (repositories !== undefined) {
    const named = readDocument('repositories', repositoriesDocument, await archive.document(repositories));
    for (const [name, byTag] of Object.entries(named))
      for (const [tag, id] of Object.entries(byTag))
        tags.set(id, [...(tags.get(id) ?? []), parseReference(`${name}:${tag}`)]);
  }
  if (tags.size === 0) {
    const parents = new Set([...images.values()].map(({ parent }) => parent));
    for (const id of ids) if (!parents.has(id)) tags.set(id, []);
  }
  const digests = new Map<SpooledFile, Digest>();
  const diffIdOf = async (layer: SpooledFile): Promise<Digest> => {
    const known = digests.get(layer) ?? (await plainDigest(layer, signal));
    digests.set(layer, known);
    return known;
  };
  return [...tags].map(([id, names]) => {
    const chain = chainOf(images, id);
    const layers = chain.map((one) => archive.get(`${one}/layer.tar`));
    return {
      layers,
      tags: names,
      config: async () => {
        const diffIds = [];
        for (const layer of layers) diffIds.push(await diffIdOf(layer));
        return configOf(
          chain.map((one) => images.get(one)!),
          diffIds,
        );
      },
    };
  });
}

/** The image and what it lies upon, the lowest first. */
function chainOf(images: ReadonlyMap<string, V1Image>, id: string): string[] {
  const chain: string[] = [];
  for (let at: string | undefined = id; at; at = images.get(at)?.parent ?? undefined) {
    if (!images.has(at))
      throw new TwofoldError(
        'invalid-argument',
        `The archive refers to the layer ${JSON.stringify(at.slice(0, 80))} and does not contain it.`,
      );
    if (chain.push(at) > layerLimit)
      throw new TwofoldError('invalid-argument', `The archive has an image with more than ${layerLimit} layers.`);
  }
  return chain.toReversed();
}

/** Members of the old form that have no place in a configuration. */
const dropped = new Set(['id', 'parent', 'Size', 'parent_id', 'layer_id', 'throwaway', 'rootfs', 'history']);

/** The configuration that Docker makes of the old form: the topmost image's, with the layers and their history. */
function configOf(chain: readonly V1Image[], diffIds: readonly Digest[]): Buffer {
  const top = chain.at(-1)!;
  const members = Object.entries(top).filter(([name]) => !dropped.has(name));
  const history = chain.map(({ created, author, container_config: of, comment }) => ({
    created,
    ...(author ? { author } : {}),
    ...(of?.Cmd?.length ? { created_by: of.Cmd.join(' ') } : {}),
    ...(comment ? { comment } : {}),
  }));
  const whole = [...members, ['history', history], ['rootfs', { type: 'layers', diff_ids: diffIds }]] as const;
  return Buffer.from(JSON.stringify(Object.fromEntries(whole.toSorted(([a], [b]) => (a < b ? -1 : 1)))));
}

async function plainDigest(file: SpooledFile, signal: AbortSignal): Promise<Digest> {
  using opened = new DisposableStack();
  const source = opened.adopt(createReadStream(file.path, { highWaterMark: 1 << 20, signal }), (one) => one.destroy());
  const { content, compression } = await decompress(source);
  opened.adopt(content, (one) => one.destroy());
  if (compression === 'none') return file.digest;
  const hash = createHash('sha256');
  for await (const chunk of content as AsyncIterable<Buffer>) hash.update(chunk);
  return `sha256:${hash.digest('hex')}` as Digest;
}
