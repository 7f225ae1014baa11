// Owns the maps of sparse files in the four ways that GNU tar has written them.

import { blockBytes, broken, numberField } from './header.ts';
import type { ByteInput } from './input.ts';
import { paxNumber, type PaxRecord } from './pax.ts';

/** A stretch with data; what lies between is zeroes. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

export interface SparseMap {
  readonly extents: readonly Extent[];
  readonly size: number;
}

const maxExtents = 1 << 20;

function pair(numbers: readonly number[]): Extent[] {
  if (numbers.length % 2 !== 0 || numbers.length / 2 > maxExtents) throw broken('a sparse map is not valid');
  const extents: Extent[] = [];
  for (let i = 0; i < numbers.length; i += 2) extents.push({ offset: numbers[i]!, length: numbers[i + 1]! });
  return extents;
}

/** Refuses what overlaps, goes backwards or lies beyond the end; empty stretches are left out. */
export function checkSparse(extents: readonly Extent[], size: number, stored: number): SparseMap {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of extents) {
    if (offset < end || offset + length > size) throw broken('a sparse map is not valid');
    end = offset + length;
    sum += length;
  }
  if (sum !== stored) throw broken('a sparse map is not valid');
  return { extents: extents.filter((extent) => extent.length > 0), size };
}

/** The old GNU form (type `S`): in the header, continued in blocks behind it. */
export async function readOldGnu(block: Buffer, input: ByteInput): Promise<{ extents: Extent[]; size: number }> {
  const numbers: number[] = [];
  const take = (from: Buffer, offset: number, count: number): void => {
    for (let i = 0; i < count && from[offset + i * 24] !== 0; i++)
      numbers.push(numberField(from, offset + i * 24, 12), numberField(from, offset + i * 24 + 12, 12));
  };
  take(block, 386, 4);
  for (let more = block[482] !== 0; more;) {
    const next = await input.exactly(blockBytes);
    if (next === null || numbers.length / 2 > maxExtents) throw broken('a sparse map is not valid');
    take(next, 0, 21);
    more = next[504] !== 0;
  }
  return { extents: pair(numbers), size: numberField(block, 483, 12) };
}

/** Forms 0.0 and 0.1: in pax records. Null when the records hold none. */
export function paxSparse(records: readonly PaxRecord[]): { extents: Extent[]; size: number } | null {
  const find = (key: string) => records.findLast((record) => record.key === key)?.value;
  const size = find('GNU.sparse.realsize') ?? find('GNU.sparse.size');
  if (size === undefined) return null;
  const map = find('GNU.sparse.map');
  const numbers =
    map !== undefined && map.length > 0
      ? map
          .toString('latin1')
          .split(',')
          .map((text) => paxNumber(Buffer.from(text)))
      : records
          .filter((record) => record.key === 'GNU.sparse.offset' || record.key === 'GNU.sparse.numbytes')
          .map((record) => paxNumber(record.value));
  return { extents: pair(numbers), size: paxNumber(size) };
}

/** Form 1.0: decimal lines before the content, padded to a block. Tells how many bytes it took. */
export async function readPaxMap(input: ByteInput, stored: number): Promise<{ extents: Extent[]; used: number }> {
  let used = 0;
  let text = '';
  const numbers: number[] = [];
  for (let wanted = 1; numbers.length < wanted;) {
    const block = used + blockBytes <= stored ? await input.exactly(blockBytes) : null;
    if (block === null) throw broken('a sparse map is not valid');
    used += blockBytes;
    const lines = (text + block.toString('latin1')).split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) {
      if (numbers.length === wanted) break;
      numbers.push(paxNumber(Buffer.from(line, 'latin1')));
      if (numbers.length === 1) wanted = 1 + 2 * numbers[0]!;
      if (wanted > 2 * maxExtents) throw broken('a sparse map is too long');
    }
    if (text.length > blockBytes * 2) throw broken('a sparse map is not valid');
  }
  return { extents: pair(numbers.slice(1)), used };
}
