// Owns the reading of LZ4's legacy frame, the form that kernels are packed in, so that set-up needs no lz4 program.

import { TwofoldError } from '@twofold/contract';

const blockBytes = 8 << 20;

/**
 * The unpacked bytes of a legacy frame. What follows the last whole block (the kernel's own size word) is left alone.
 */
export function unpackLz4Legacy(frame: Buffer): Buffer {
  const blocks: Buffer[] = [];
  let at = 4;
  while (at + 4 <= frame.length) {
    const length = frame.readUInt32LE(at);
    if (length === 0 || at + 4 + length > frame.length) break;
    blocks.push(unpackBlock(frame.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return Buffer.concat(blocks);
}

function unpackBlock(block: Buffer): Buffer {
  const out = Buffer.allocUnsafe(blockBytes);
  let from = 0;
  let to = 0;
  const extended = (first: number): number => {
    let length = first;
    if (first === 15) for (let more = 255; more === 255; length += more) more = block[from++] ?? broken();
    return length;
  };
  while (from < block.length) {
    const token = block[from++]!;
    const literals = extended(token >> 4);
    if (from + literals > block.length || to + literals > out.length) broken();
    block.copy(out, to, from, from + literals);
    from += literals;
    to += literals;
    if (from === block.length) break;
    const distance = block.readUInt16LE(from);
    from += 2;
    const match = extended(token & 15) + 4;
    if (distance === 0 || distance > to || to + match > out.length) broken();
    if (distance >= match) out.copy(out, to, to - distance, to - distance + match);
    else for (let i = 0; i < match; i++) out[to + i] = out[to - distance + i]!;
    to += match;
  }
  return out.subarray(0, to);
}

function broken(): never {
  throw new TwofoldError('internal', 'Could not unpack the kernel: its LZ4 data is broken.');
}
