// Owns Docker's detach keys: how they are written, and how they are found in what a terminal sends. Knows no stream.

import { TwofoldError } from '@twofold/contract';

export const defaultDetachKeys = 'ctrl-p,ctrl-q';

/** `ctrl-p,ctrl-q`, `ctrl-@,a`, … as bytes. Throws Docker's sentence for a key that isn't one. */
export function parseDetachKeys(text: string | undefined): Buffer {
  const bytes = (text === undefined || text === '' ? defaultDetachKeys : text).split(',').map((key) => {
    if (key.length === 1 && key.charCodeAt(0) < 0x80) return key.charCodeAt(0);
    const control = /^ctrl-([a-zA-Z@[\\\]^_])$/.exec(key);
    if (control === null)
      throw new TwofoldError(
        'invalid-argument',
        `Invalid detach keys (${text}) provided: Unknown character: '${key.slice(0, 20)}'`,
      );
    return control[1]!.toUpperCase().charCodeAt(0) & 0x1f;
  });
  return Buffer.from(bytes);
}

/**
 * Looks for the keys across chunks. Bytes that may be their beginning are held back until it is clear that they are
 * not.
 */
export class DetachScanner {
  readonly #keys: Buffer;
  #matched = 0;

  constructor(keys: Buffer) {
    this.#keys = keys;
  }

  /**
   * What of `chunk` goes to the process, and whether the keys have been completed; what comes after them is dropped.
   */
  push(chunk: Buffer): { pass: Buffer; detached: boolean } {
    if (this.#matched === 0 && !chunk.includes(this.#keys[0]!)) return { pass: chunk, detached: false };
    const pass: number[] = [];
    for (const byte of chunk) {
      if (byte !== this.#keys[this.#matched] && this.#matched > 0) {
        pass.push(...this.#keys.subarray(0, this.#matched));
        this.#matched = 0;
      }
      if (byte === this.#keys[this.#matched]) this.#matched += 1;
      else pass.push(byte);
      if (this.#matched === this.#keys.length) return { pass: Buffer.from(pass), detached: true };
    }
    return { pass: Buffer.from(pass), detached: false };
  }
}
