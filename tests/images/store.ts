// Owns an images room of its own for a test, and the making of layers and archives, honest and hostile.

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { tarEnd, tarHeader, tarPadding, type TarHeader } from '@twofold/contract/tar-header.ts';
import type { ImageEvent, Images } from '@twofold/daemon/images/images.ts';
import { openImages } from '@twofold/daemon/images/open.ts';
import { LostAndFound } from '@twofold/daemon/state/lost-and-found.ts';
import { openDatabase, type Database } from '@twofold/daemon/state/database.ts';
import { program } from '../support/library.ts';

export const signal = AbortSignal.timeout(60_000);

/** A data root with its images; `reopen` is what a restart of the daemon does. */
export class Store implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'twofold-images-'));
  readonly dataRoot = join(this.root, 'data');
  readonly libRoot: string;
  readonly events: ImageEvent[] = [];
  images: Images;
  #database: Database;

  constructor(options: { libRoot?: string } = {}) {
    mkdirSync(this.dataRoot, { mode: 0o711 });
    this.libRoot = options.libRoot ?? join(this.root, 'lib');
    [this.#database, this.images] = this.#open();
  }

  #open(): [Database, Images] {
    const database = openDatabase(join(this.dataRoot, 'twofold.db'));
    const images = openImages({
      settings: {
        dataRoot: this.dataRoot,
        runRoot: join(this.root, 'run'),
        libRoot: this.libRoot,
        minimumFreeBytes: 0,
      },
      rows: database,
      lose: new LostAndFound(this.dataRoot).take,
      layerTool: program('twofold-layer'),
      cell: program('twofold-cell'),
    });
    images.onEvent((event) => this.events.push(event));
    return [database, images];
  }

  reopen(): void {
    this.#database[Symbol.dispose]();
    [this.#database, this.images] = this.#open();
  }

  load(archive: Buffer | Readable, lines: string[] = []) {
    return this.images.load(
      archive instanceof Readable ? archive : Readable.from([archive], { objectMode: false }),
      (line) => void lines.push(line),
      signal,
    );
  }

  async save(...references: string[]): Promise<Buffer> {
    const out = new PassThrough();
    const [bytes] = await Promise.all([buffer(out), this.images.save(references, out, signal)]);
    return bytes;
  }

  /** Files of the store: blobs, layers and what is being made. */
  files(): string[] {
    return ['blobs/sha256', 'layers', 'ingest']
      .flatMap((directory) => readdirSync(join(this.dataRoot, directory)).map((name) => `${directory}/${name}`))
      .toSorted();
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
    rmSync(this.root, { recursive: true, force: true });
  }
}

export type Entry = Partial<TarHeader> & { path: string; content?: string | Buffer };

/** A plain tar. */
export function tar(entries: readonly Entry[]): Buffer {
  return Buffer.concat([
    ...entries.flatMap(({ content = '', ...header }) => {
      const bytes = Buffer.from(content);
      return [tarHeader({ kind: 'file', mode: 0o644, size: bytes.length, ...header }), bytes, tarPadding(bytes.length)];
    }),
    tarEnd(),
  ]);
}

export const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
export const stream = (bytes: Buffer): Readable => Readable.from([bytes], { objectMode: false });

/** A layer with one file. */
export const layer = (path: string, content: string): Buffer =>
  tar([
    { path: 'etc/', kind: 'directory', mode: 0o755 },
    { path, content },
  ]);

/** What an image's configuration says, for layers given uncompressed. */
export function imageConfig(layers: readonly Buffer[], change: object = {}): Buffer {
  return Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      created: '2020-01-01T00:00:00Z',
      config: { Cmd: ['sh'], Env: ['PATH=/bin'], Labels: null },
      rootfs: { type: 'layers', diff_ids: layers.map(sha256) },
      history: [{ created_by: 'test' }],
      ...change,
    }),
  );
}

/** As `docker save` writes (or wrote) them. `packed` are the layers as they lie in the archive. */
export function dockerArchive(
  tags: readonly string[],
  layers: readonly Buffer[],
  {
    packed = layers,
    config = imageConfig(layers),
    extra = [],
  }: { packed?: readonly Buffer[]; config?: Buffer; extra?: readonly Entry[] } = {},
): Buffer {
  return tar([
    ...packed.map((content, index) => ({ path: `${index}/layer.tar`, content })),
    { path: 'config.json', content: config },
    {
      path: 'manifest.json',
      content: JSON.stringify([
        { Config: 'config.json', RepoTags: tags, Layers: packed.map((_, index) => `${index}/layer.tar`) },
      ]),
    },
    ...extra,
  ]);
}

const blob = (content: Buffer): Entry => ({ path: `blobs/sha256/${sha256(content).slice(7)}`, content });
const describe = (content: Buffer, mediaType: string, more: object = {}) => ({
  mediaType,
  digest: sha256(content),
  size: content.length,
  ...more,
});

/** An OCI layout; `wrap` puts the manifest into an index of its own, beside one for another machine. */
export function ociArchive(
  name: string,
  layers: readonly Buffer[],
  { packed = layers, wrap = false }: { packed?: readonly Buffer[]; wrap?: boolean } = {},
): Buffer {
  const config = imageConfig(layers);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      config: describe(config, 'application/vnd.oci.image.config.v1+json'),
      layers: packed.map((content) => describe(content, 'application/vnd.oci.image.layer.v1.tar')),
    }),
  );
  const foreign = Buffer.from('{}');
  const inner = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      manifests: [
        describe(foreign, 'application/vnd.oci.image.manifest.v1+json', {
          platform: { os: 'linux', architecture: 'mips' },
        }),
        describe(manifest, 'application/vnd.oci.image.manifest.v1+json', {
          platform: { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch },
        }),
      ],
    }),
  );
  const top = wrap
    ? describe(inner, 'application/vnd.oci.image.index.v1+json')
    : describe(manifest, 'application/vnd.oci.image.manifest.v1+json');
  return tar([
    { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    {
      path: 'index.json',
      content: JSON.stringify({
        schemaVersion: 2,
        manifests: [{ ...top, annotations: { 'org.opencontainers.image.ref.name': name } }],
      }),
    },
    ...packed.map(blob),
    blob(config),
    blob(manifest),
    ...(wrap ? [blob(inner)] : []),
  ]);
}
