// Owns blobs/sha256/<hex> and ingest/ below the data root (0700): the bytes of layers as they came. A blob appears
// under its digest only when it is whole, checked and on the disk. Does not own which blobs are still wanted:
// layer-store.ts says so.

import { createHash, randomBytes, type Hash } from 'node:crypto';
import {
  createReadStream,
  fsyncSync,
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  rmSync,
  renameSync,
  statfsSync,
  existsSync,
} from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { TwofoldError, type Digest } from '@twofold/contract';

/** Bytes between two looks at the free space. */
const spaceCheckBytes = 64 << 20;

/** Bytes that have been written and are not a blob yet. */
export interface SpooledFile {
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
}

export class ContentStore {
  readonly #blobs: string;
  readonly #ingest: string;
  readonly #minimumFreeBytes: number;

  /** Makes its directories; what an earlier daemon left half written is thrown away. */
  constructor(dataRoot: string, minimumFreeBytes: number) {
    this.#blobs = join(dataRoot, 'blobs', 'sha256');
    this.#ingest = join(dataRoot, 'ingest');
    this.#minimumFreeBytes = minimumFreeBytes;
    rmSync(this.#ingest, { recursive: true, force: true });
    mkdirSync(this.#ingest, { mode: 0o700 });
    mkdirSync(join(dataRoot, 'blobs'), { mode: 0o700, recursive: true });
    mkdirSync(this.#blobs, { mode: 0o700, recursive: true });
  }

  path(digest: Digest): string {
    return join(this.#blobs, hexOf(digest));
  }

  has(digest: Digest): boolean {
    return existsSync(this.path(digest));
  }

  read(digest: Digest): Readable {
    return createReadStream(this.path(digest), { highWaterMark: 1 << 20 });
  }

  /** A new file to write into. Disposing throws it away unless `keep` has made it a blob. */
  async spool(): Promise<Spool> {
    this.checkSpace();
    const path = join(this.#ingest, randomBytes(12).toString('hex'));
    return new Spool(path, await open(path, 'wx', 0o600), () => this.checkSpace());
  }

  /** A path for a file that is being made elsewhere (an EROFS); it goes when the daemon starts again. */
  temporaryPath(): string {
    return join(this.#ingest, randomBytes(12).toString('hex'));
  }

  /** Makes a spooled file a blob. It is on the disk when this resolves. */
  async keep(file: SpooledFile): Promise<void> {
    await using handle = await open(file.path, 'r');
    await handle.sync();
    publish(file.path, this.path(file.digest));
  }

  list(): Digest[] {
    return readdirSync(this.#blobs).map((name) => `sha256:${name}` as Digest);
  }

  remove(digest: Digest): void {
    rmSync(this.path(digest), { force: true });
  }

  /**
   * Throws `no-space` when the data root's file system has less left than the settings ask for. Returns the bytes that
   * may be used.
   */
  checkSpace(): number {
    const { bavail, bsize } = statfsSync(this.#ingest);
    const free = bavail * bsize;
    if (free < this.#minimumFreeBytes)
      throw new TwofoldError(
        'no-space',
        `Too little space is left for an image: ${Math.floor(free / 2 ** 20)} MiB are free, and ${Math.ceil(this.#minimumFreeBytes / 2 ** 20)} MiB are kept in reserve.`,
      );
    return free - this.#minimumFreeBytes;
  }
}

/** A file that is being written, and its digest. */
export class Spool implements AsyncDisposable {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #hash: Hash = createHash('sha256');
  readonly #checkSpace: () => unknown;
  #size = 0;
  #nextCheck = spaceCheckBytes;
  #taken = false;

  constructor(path: string, file: FileHandle, checkSpace: () => unknown) {
    this.path = path;
    this.#file = file;
    this.#checkSpace = checkSpace;
  }

  get size(): number {
    return this.#size;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#hash.update(chunk);
    for (let done = 0; done < chunk.length;) {
      const { bytesWritten } = await this.#file.write(chunk, done).catch((cause: NodeJS.ErrnoException) => {
        throw new TwofoldError(
          cause.code === 'ENOSPC' || cause.code === 'EDQUOT' ? 'no-space' : 'internal',
          'Could not write an image to the data root.',
          { cause },
        );
      });
      done += bytesWritten;
    }
    this.#size += chunk.length;
    if (this.#size < this.#nextCheck) return;
    this.#nextCheck += spaceCheckBytes;
    this.#checkSpace();
  }

  /** What has been written so far. */
  finish(): SpooledFile {
    return { path: this.path, digest: `sha256:${this.#hash.digest('hex')}` as Digest, size: this.#size };
  }

  /** The file now belongs to somebody else: disposing leaves it. */
  release(): void {
    this.#taken = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    if (!this.#taken) rmSync(this.path, { force: true });
  }
}

/** The 64 digits of a digest. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

/** Gives a complete, synced file its name, and puts the name on the disk. */
export function publish(from: string, to: string): void {
  renameSync(from, to);
  const directory = openSync(join(to, '..'), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
