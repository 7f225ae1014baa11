// Owns pax extended headers: the records, and the values in them.

import { broken } from './header.ts';

export interface PaxRecord {
  readonly key: string;
  readonly value: Buffer;
}

/** All records of a pax header, in order (old GNU sparse maps repeat their keys). */
export function parsePax(text: Buffer): PaxRecord[] {
  const records: PaxRecord[] = [];
  for (let at = 0; at < text.length;) {
    const space = text.indexOf(0x20, at);
    if (space < 0 || space - at > 10) throw broken('a pax record is not valid');
    const digits = text.toString('latin1', at, space);
    const length = /^[0-9]+$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    const equals = text.indexOf(0x3d, space);
    if (length < space - at + 4 || end > text.length || text[end - 1] !== 0x0a || equals < 0 || equals >= end - 1)
      throw broken('a pax record is not valid');
    records.push({ key: text.toString('latin1', space + 1, equals), value: text.subarray(equals + 1, end - 1) });
    at = end;
  }
  return records;
}

/** A decimal number that is not negative. */
export function paxNumber(value: Buffer): number {
  const text = value.toString('latin1');
  const number = /^[0-9]{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(number)) throw broken('a pax number is not valid');
  return number;
}

export interface Time {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** `-12.5` as a point in time. */
export function paxTime(value: Buffer): Time {
  const match = /^(-?)([0-9]{1,14})(?:\.([0-9]*))?$/.exec(value.toString('latin1'));
  if (match === null) throw broken('a pax time is not valid');
  const seconds = Number(match[2]);
  const nanoseconds = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (match[1] === '') return { seconds, nanoseconds };
  return nanoseconds === 0
    ? { seconds: 0 - seconds, nanoseconds }
    : { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}

/** The percent-encoded name of a `TWOFOLD.xattr.` record. */
export function decodeXattrName(text: string): string {
  return text.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
