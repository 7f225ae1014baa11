// Owns the image file as a growing row of blocks: large writes, and no writes for blocks of zeroes, so that the file
// stays sparse.

import { TwofoldError } from '@twofold/contract';
import { blockBytes } from './layout.ts';

/** Writes all of `data` at `position`. Bytes never written read as zeroes. */
export type Sink = (data: Uint8Array, position: number) => void;

const bufferBytes = 1 << 20;
const zeroes = Buffer.alloc(blockBytes);

export class BlockOutput {
  readonly #sink: Sink;
  readonly #maxBytes: number;
  readonly #buffer = Buffer.allocUnsafe(bufferBytes);
  /** Where #buffer's first byte belongs, and how much of it is filled. */
  #start = blockBytes;
  #used = 0;
  /** First block that nothing has been given yet. Block 0 is the superblock's. */
  #next = 1;

  constructor(sink: Sink, maxBytes: number) {
    this.#sink = sink;
    this.#maxBytes = maxBytes;
  }

  get nextBlock(): number {
    return this.#next;
  }

  /** Takes blocks in a row and tells the first. */
  allocate(blocks: number): number {
    const first = this.#next;
    this.#next += blocks;
    if (this.#next * blockBytes > this.#maxBytes)
      throw new TwofoldError('no-space', `The layer is larger than its limit of ${this.#maxBytes} bytes.`);
    return first;
  }

  /** Positions only grow; what is passed over is zeroes. */
  write(data: Uint8Array, position: number): void {
    const gap = position - (this.#start + this.#used);
    if (gap > 0 && gap < bufferBytes - this.#used) {
      this.#buffer.fill(0, this.#used, this.#used + gap);
      this.#used += gap;
    } else if (gap !== 0) {
      this.flush();
      this.#start = position;
    }
    for (let done = 0; done < data.length;) {
      const part = data.subarray(done, done + bufferBytes - this.#used);
      this.#buffer.set(part, this.#used);
      this.#used += part.length;
      done += part.length;
      if (this.#used === bufferBytes) this.flush();
    }
  }

  /** Writes what has been collected, without the blocks that are all zeroes. */
  flush(): void {
    let from = -1;
    for (let at = 0; at < this.#used; at += blockBytes) {
      const end = Math.min(at + blockBytes, this.#used);
      const isZero = this.#buffer.compare(zeroes, 0, end - at, at, end) === 0;
      if (!isZero && from < 0) from = at;
      if (isZero && from >= 0) {
        this.#sink(this.#buffer.subarray(from, at), this.#start + from);
        from = -1;
      }
    }
    if (from >= 0) this.#sink(this.#buffer.subarray(from, this.#used), this.#start + from);
    this.#start += this.#used;
    this.#used = 0;
  }
}
