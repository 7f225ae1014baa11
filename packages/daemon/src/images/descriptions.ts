// Owns images/<hex of the id>.json below the data root: what `recover` makes an image's rows of, beside the blobs and
// layers that it names. Does not own the rows (records.ts).

import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageId } from '@twofold/contract';
import { ensureDescription, readDescription, writeDescription } from '../state/description.ts';
import type { StoredLayer } from './records.ts';

const version = 1;

export interface DescribedImage {
  /** Base64: the image's id is the digest of exactly these bytes. */
  readonly config: string;
  readonly parent: string;
  readonly tags: readonly string[];
  readonly layers: readonly StoredLayer[];
}

export class ImageDescriptions {
  readonly #directory: string;

  constructor(dataRoot: string) {
    this.#directory = join(dataRoot, 'images');
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
  }

  /** On the disk before this returns. */
  write(id: ImageId, image: DescribedImage): void {
    writeDescription(this.#path(id), version, image, { durable: true });
  }

  /** Makes good what a crash, or an earlier version, has left without it. */
  ensure(id: ImageId, image: DescribedImage): void {
    ensureDescription(this.#path(id), version, image);
  }

  remove(id: ImageId): void {
    rmSync(this.#path(id), { force: true });
  }

  /** Descriptions of no image go by `lose`. */
  keepOnly(known: (id: ImageId) => boolean, lose: (path: string) => void): void {
    for (const id of this.list()) if (!known(id)) lose(this.#path(id));
  }

  list(): ImageId[] {
    return readdirSync(this.#directory)
      .filter((name) => /^[0-9a-f]{64}\.json$/.test(name))
      .map((name) => `sha256:${name.slice(0, 64)}` as string as ImageId);
  }

  read(id: ImageId): DescribedImage | null {
    return readDescription<DescribedImage>(this.#path(id), version);
  }

  #path(id: ImageId): string {
    return join(this.#directory, `${id.slice('sha256:'.length)}.json`);
  }
}
