// Owns a stream of bytes that can be asked for an exact number of them. Knows nothing of tar.

import { TwofoldError } from '@twofold/contract';

/** Bytes in order from chunks as they come. */
export class ByteInput {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunk: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async #fill(): Promise<boolean> {
    while (this.#chunk.length === 0 && !this.#ended) {
      const next = await this.#source.next();
      if (next.done === true) this.#ended = true;
      else this.#chunk = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    }
    return this.#chunk.length > 0;
  }

  /** At most `limit` bytes, as they lie there; null at the end. */
  async some(limit: number): Promise<Buffer | null> {
    if (this.#chunk.length === 0 && !(await this.#fill())) return null;
    const part = this.#chunk.subarray(0, limit);
    this.#chunk = this.#chunk.subarray(part.length);
    return part;
  }

  /** Exactly `length` bytes; null when the stream ended before the first of them. */
  async exactly(length: number): Promise<Buffer | null> {
    if (this.#chunk.length >= length) return this.some(length);
    const whole = Buffer.allocUnsafe(length);
    let used = 0;
    while (used < length) {
      const part = await this.some(length - used);
      if (part === null) {
        if (used === 0) return null;
        throw new TwofoldError('invalid-argument', 'The archive is broken: it ends in the middle.');
      }
      part.copy(whole, used);
      used += part.length;
    }
    return whole;
  }

  /** Passes over `length` bytes. */
  async skip(length: number): Promise<void> {
    for (let left = length; left > 0;) {
      const part = await this.some(left);
      if (part === null)
        throw new TwofoldError('invalid-argument', 'The archive is broken: it ends in the middle of a file.');
      left -= part.length;
    }
  }

  /** Reads to the end, so that the writer sees no broken pipe. */
  async drain(): Promise<void> {
    while ((await this.some(1 << 20)) !== null);
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }
}
