// Owns `docker save`: one archive that is a docker archive and an OCI layout at once. The same images give the same
// bytes.

import { Readable } from 'node:stream';
import { createReadStream } from 'node:fs';
import type { Digest, ImageId } from '@twofold/contract';
import { tarEnd, tarHeader, tarPadding } from '@twofold/contract/tar-header.ts';
import type { ContentStore } from './content-store.ts';
import { digestOf, mediaTypes } from './documents.ts';
import type { ImageRecords, StoredLayer } from './records.ts';
import { canonicalName, familiarName, type Reference } from './reference.ts';

/** What is to be saved: an image, and the names it is to have. */
export interface SavedImage {
  readonly id: ImageId;
  readonly names: readonly Reference[];
  readonly layers: readonly StoredLayer[];
}

/** A file of the archive: bytes that we made, or a blob of the store. */
type Item =
  | { readonly name: string; readonly bytes: Buffer }
  | { readonly name: string; readonly blob: Digest; readonly size: number };

/** The archive, byte by byte. Everything that can fail for the caller's sake has failed before the first one. */
export function saveArchive(images: readonly SavedImage[], records: ImageRecords, content: ContentStore): Readable {
  const items = new Map<string, Item>();
  const blobPath = (digest: string) => `blobs/sha256/${digest.slice('sha256:'.length)}`;
  const put = (bytes: Buffer) => {
    const digest = digestOf(bytes);
    items.set(blobPath(digest), { name: blobPath(digest), bytes });
    return { digest, size: bytes.length };
  };
  const docker: { Config: string; RepoTags: string[] | null; Layers: string[] }[] = [];
  const manifests: object[] = [];
  for (const { id, names, layers } of images) {
    const config = put(records.config(id));
    for (const layer of layers)
      items.set(blobPath(layer.blob), { name: blobPath(layer.blob), blob: layer.blob, size: layer.blobBytes });
    const manifest = put(
      json({
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: { mediaType: mediaTypes.config, ...config },
        layers: layers.map(({ blob, blobBytes, compression }) => ({
          mediaType: compression === 'none' ? mediaTypes.layer : `${mediaTypes.layer}+${compression}`,
          digest: blob,
          size: blobBytes,
        })),
      }),
    );
    // Other engines know no capitals in a repository's name.
    const plain = names.map((name) => ({ ...name, path: name.path.toLowerCase() }));
    docker.push({
      Config: blobPath(id),
      RepoTags: plain.length === 0 ? null : plain.map(familiarName),
      Layers: layers.map(({ blob }) => blobPath(blob)),
    });
    const descriptor = { mediaType: mediaTypes.manifest, ...manifest };
    if (plain.length === 0) manifests.push(descriptor);
    for (const name of plain)
      manifests.push({
        ...descriptor,
        annotations: {
          'io.containerd.image.name': canonicalName(name),
          'org.opencontainers.image.ref.name': name.tag ?? 'latest',
        },
      });
  }
  const documents: Item[] = [
    { name: 'index.json', bytes: json({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }) },
    { name: 'manifest.json', bytes: json(docker) },
    { name: 'oci-layout', bytes: json({ imageLayoutVersion: '1.0.0' }) },
  ];
  const sorted = [...items.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return Readable.from(write([...sorted, ...documents], content), { objectMode: false, highWaterMark: 1 << 20 });
}

async function* write(items: readonly Item[], content: ContentStore): AsyncGenerator<Buffer> {
  for (const directory of ['blobs/', 'blobs/sha256/'])
    yield tarHeader({ path: directory, kind: 'directory', mode: 0o755 });
  for (const item of items) {
    const size = 'bytes' in item ? item.bytes.length : item.size;
    yield tarHeader({ path: item.name, kind: 'file', mode: 0o644, size });
    if ('bytes' in item) yield item.bytes;
    else yield* createReadStream(content.path(item.blob), { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
    yield tarPadding(size);
  }
  yield tarEnd();
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
