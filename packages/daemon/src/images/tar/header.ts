// Owns the 512-byte header of tar: its fields and numbers. What pax and GNU put around it is pax.ts's and sparse.ts's.

import { TwofoldError } from '@twofold/contract';

export const blockBytes = 512;

export function broken(what: string): TwofoldError {
  return new TwofoldError('invalid-argument', `The archive is broken: ${what}.`);
}

/** A number field: octal, or base 256 when its first bit is set. */
export function numberField(block: Buffer, offset: number, length: number): number {
  const first = block[offset] ?? 0;
  if ((first & 0x80) !== 0) {
    let value = (first & 0x40) !== 0 ? -1n : 0n;
    value = (value << 6n) | BigInt(first & 0x3f);
    for (let i = 1; i < length; i++) value = (value << 8n) | BigInt(block[offset + i] ?? 0);
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw broken('a number is too large');
    return number;
  }
  let i = offset;
  const end = offset + length;
  while (i < end && (block[i] === 0x20 || block[i] === 0)) i++; // some writers begin with a zero byte
  let value = 0;
  for (; i < end && block[i]! >= 0x30 && block[i]! <= 0x37; i++) value = value * 8 + block[i]! - 0x30;
  for (; i < end; i++) if (block[i] !== 0x20 && block[i] !== 0) throw broken('a number is not valid');
  return value;
}

/** A text field, up to its first zero byte. */
export function textField(block: Buffer, offset: number, length: number): Buffer {
  const zero = block.indexOf(0, offset);
  return block.subarray(offset, zero < 0 || zero > offset + length ? offset + length : zero);
}

export interface Header {
  readonly type: string;
  readonly path: Buffer;
  readonly link: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly major: number;
  readonly minor: number;
  /** The block itself: GNU's sparse map lies in it. */
  readonly block: Buffer;
}

/** Null for a block of zeroes: the end of the archive. */
export function parseHeader(block: Buffer): Header | null {
  let sum = 8 * 0x20;
  let signed = sum; // as old tars on machines whose characters have a sign
  for (let i = 0; i < blockBytes; i++) {
    if (i >= 148 && i < 156) continue;
    sum += block[i]!;
    signed += block.readInt8(i);
  }
  if (sum === 8 * 0x20 && block.every((byte) => byte === 0)) return null;
  const said = numberField(block, 148, 8);
  if (said !== sum && said !== signed) throw broken('a checksum is wrong');
  const type = String.fromCharCode(block[156]!);
  const isDevice = type === '3' || type === '4';
  const name = textField(block, 0, 100);
  // Only POSIX's ustar has a prefix; GNU keeps other things there.
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? textField(block, 345, 155) : Buffer.alloc(0);
  return {
    type: type === '\0' || type === '7' ? '0' : type,
    path: Buffer.from(prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name])),
    link: Buffer.from(textField(block, 157, 100)),
    mode: numberField(block, 100, 8),
    uid: numberField(block, 108, 8),
    gid: numberField(block, 116, 8),
    size: numberField(block, 124, 12),
    mtime: numberField(block, 136, 12),
    major: isDevice ? numberField(block, 329, 8) : 0,
    minor: isDevice ? numberField(block, 337, 8) : 0,
    block,
  };
}
