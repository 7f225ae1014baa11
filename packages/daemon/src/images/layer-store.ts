// Owns layers/<hex of the diff id>.erofs below the data root (0700), each made once of a layer's tar, and the rows
// about them. A layer is there when its EROFS, its blob and its row are; files without a row are put aside when the
// daemon starts. Does not own the making of an EROFS: a layer's tar is read only by the unprivileged child that
// host/layer-writer.ts starts.

import { linkSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { TwofoldError, type Digest } from '@twofold/contract';
import { writeLayer, type LayerWriteOptions } from '../host/layer-writer.ts';
import { compressionOf, headBytes, type Compression } from './compression.ts';
import { hexOf, publish, type ContentStore, type SpooledFile } from './content-store.ts';
import type { ImageLayer } from './images.ts';
import type { ImageRecords, StoredLayer } from './records.ts';
import { Turns } from '../host/turns.ts';

/** Writers at work at the same time: each is a process that computes. */
const writersAtOnce = 2;

export class LayerStore {
  readonly #directory: string;
  readonly #records: ImageRecords;
  readonly #content: ContentStore;
  readonly #reader: Pick<LayerWriteOptions, 'cell' | 'program'>;
  readonly #turns = new Turns(writersAtOnce);
  /** Layers that an unfinished command counts on, and how many do. */
  readonly #held = new Map<Digest, number>();
  readonly #beingMade = new Map<Digest, Promise<StoredLayer>>();

  constructor(
    dataRoot: string,
    records: ImageRecords,
    content: ContentStore,
    reader: Pick<LayerWriteOptions, 'cell' | 'program'>,
    lose: (path: string) => void,
  ) {
    this.#directory = join(dataRoot, 'layers');
    this.#records = records;
    this.#content = content;
    this.#reader = reader;
    mkdirSync(this.#directory, { mode: 0o700, recursive: true });
    this.#putAside(lose);
    this.collect();
  }

  path(diffId: Digest): string {
    return join(this.#directory, `${hexOf(diffId)}.erofs`);
  }

  imageLayer(diffId: Digest): ImageLayer {
    return { path: this.path(diffId), name: hexOf(diffId).slice(0, 32) };
  }

  get(diffId: Digest): StoredLayer | undefined {
    return this.#records.layer(diffId);
  }

  /**
   * Keeps layers from being collected while a command that needs them is under way, whether they are there yet or not.
   */
  hold(diffIds: readonly Digest[]): Disposable {
    for (const diffId of diffIds) this.#held.set(diffId, (this.#held.get(diffId) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        for (const diffId of diffIds) {
          const count = this.#held.get(diffId)! - 1;
          if (count === 0) this.#held.delete(diffId);
          else this.#held.set(diffId, count);
        }
      },
    };
  }

  /**
   * Makes the layer `expected` of a spooled blob, which stays the caller's. Throws `invalid-argument` when it is
   * another layer.
   */
  async addBlob(file: SpooledFile, expected: Digest, position: number, signal: AbortSignal): Promise<StoredLayer> {
    // Nothing is waited for between the look and the entry below: an image may have the layer many times.
    for (let other; (other = this.#beingMade.get(expected)) !== undefined;) await other.catch(() => undefined);
    const present = this.get(expected);
    if (present !== undefined) return present;
    const made = this.#turns.run(() => this.#make(file, expected, position, signal), signal);
    this.#beingMade.set(expected, made);
    try {
      return await made;
    } finally {
      if (this.#beingMade.get(expected) === made) this.#beingMade.delete(expected);
    }
  }

  async #make(file: SpooledFile, expected: Digest, position: number, signal: AbortSignal): Promise<StoredLayer> {
    const target = this.#content.temporaryPath();
    try {
      const compression = await this.#compressionOf(file.path);
      const { diffId, sizeBytes, contentBytes } = await writeLayer(
        { path: file.path },
        target,
        this.#options('oci', signal),
      );
      if (diffId !== expected)
        throw new TwofoldError(
          'invalid-argument',
          `invalid diffID for layer ${position}: expected "${expected}", got "${diffId}"`,
        );
      if (!this.#content.has(file.digest)) {
        const blob = this.#content.temporaryPath();
        linkSync(file.path, blob);
        await this.#content.keep({ ...file, path: blob });
      }
      return this.#store(
        { diffId: expected, blob: file.digest, compression, blobBytes: file.size, sizeBytes, contentBytes },
        target,
      );
    } finally {
      rmSync(target, { force: true });
    }
  }

  async #compressionOf(path: string): Promise<Compression> {
    await using handle = await open(path, 'r');
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    return compressionOf(buffer.subarray(0, bytesRead));
  }

  /**
   * Makes a layer of a stream (perhaps compressed) whose digest nobody knows yet, and holds it until the result is
   * disposed. The layer is null, and none is made, where the stream holds no entry.
   */
  addStream(stream: Readable, signal: AbortSignal): Promise<{ layer: StoredLayer | null } & Disposable> {
    return this.#turns.run(async () => {
      await using spool = await this.#content.spool();
      const target = this.#content.temporaryPath();
      try {
        const teed = Readable.from(
          tee(stream, (chunk) => spool.write(chunk)),
          { objectMode: false, highWaterMark: 1 << 20 },
        );
        const written = await writeLayer(teed, target, this.#options('oci', signal));
        const file = spool.finish();
        const compression = await this.#compressionOf(file.path);
        const diffId = written.diffId as Digest;
        if (compression === 'none' && file.digest !== diffId)
          throw new TwofoldError(
            'internal',
            'The layer reader and the content store disagree about what a layer contains.',
          );
        if (written.entries === 0) return { layer: null, [Symbol.dispose]: () => undefined };
        using held = new DisposableStack();
        held.use(this.hold([diffId]));
        let layer = this.get(diffId);
        if (layer === undefined) {
          if (!this.#content.has(file.digest)) {
            await this.#content.keep(file);
            spool.release();
          }
          layer = this.#store(
            {
              diffId,
              blob: file.digest,
              compression,
              blobBytes: file.size,
              sizeBytes: written.sizeBytes,
              contentBytes: written.contentBytes,
            },
            target,
          );
        }
        const kept = held.move();
        return { layer, [Symbol.dispose]: () => kept.dispose() };
      } finally {
        rmSync(target, { force: true });
      }
    }, signal);
  }

  /** Takes files that are a layer already (links to a shared library's), under names of their own in `ingest/`. */
  async adopt(layer: StoredLayer, files: { blob: string; erofs: string }): Promise<StoredLayer> {
    if (!this.#content.has(layer.blob))
      await this.#content.keep({ path: files.blob, digest: layer.blob, size: layer.blobBytes });
    return this.#store(layer, files.erofs);
  }

  /** A layer of one container alone; no row, no blob. */
  seal(tar: Readable, target: string, signal: AbortSignal): ReturnType<typeof writeLayer> {
    return this.#turns.run(() => writeLayer(tar, target, this.#options('private', signal)), signal);
  }

  /** Deletes layers that no image and no command uses. Returns their diff ids. */
  collect(): Digest[] {
    const gone = this.#records.unusedLayers().filter(({ diffId }) => !this.#held.has(diffId));
    this.#records.removeLayers(gone.map(({ diffId }) => diffId));
    const wanted = new Set(this.#records.layers().map(({ blob }) => blob));
    for (const { diffId, blob } of gone) {
      rmSync(this.path(diffId), { force: true });
      if (!wanted.has(blob)) this.#content.remove(blob);
    }
    return gone.map(({ diffId }) => diffId);
  }

  /** A tar can grow without end (holes, a compressed nothing): the layer may take what is free and not kept. */
  #options(form: 'oci' | 'private', signal: AbortSignal): LayerWriteOptions {
    return { ...this.#reader, form, signal, limits: { bytes: this.#content.checkSpace() } };
  }

  #store(layer: StoredLayer, erofs: string): StoredLayer {
    publish(erofs, this.path(layer.diffId));
    this.#records.addLayer(layer);
    return layer;
  }

  /** What has no row: of a command that was cut short, or of a database that is older than the files. */
  #putAside(lose: (path: string) => void): void {
    const rows = this.#records.layers();
    const files = new Set(rows.map(({ diffId }) => `${hexOf(diffId)}.erofs`));
    for (const name of readdirSync(this.#directory)) if (!files.has(name)) lose(join(this.#directory, name));
    const blobs = new Set(rows.map(({ blob }) => blob));
    for (const digest of this.#content.list()) if (!blobs.has(digest)) lose(this.#content.path(digest));
  }
}

async function* tee(source: Readable, also: (chunk: Buffer) => Promise<void>): AsyncGenerator<Buffer> {
  for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    await also(chunk);
    yield chunk;
  }
}
