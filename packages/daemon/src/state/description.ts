// Owns small JSON files that say of a thing on disk what its row says, so that `recover` can make the row again. The
// database is the truth: a description is written after the commit, and again at a start where it differs.

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { TwofoldError } from '@twofold/contract';

/** Version of what is described, beside it: a reader refuses one that it does not know. */
interface Description {
  readonly version: number;
  readonly content: unknown;
}

/** Whole or not at all. `durable`: on the disk before this returns. */
export function writeDescription(
  path: string,
  version: number,
  content: unknown,
  { durable = false }: { durable?: boolean } = {},
): void {
  write(path, textOf(version, content), durable);
}

/** Writes it only where there is none like it. */
export function ensureDescription(path: string, version: number, content: unknown): void {
  const text = textOf(version, content);
  if (readText(path) !== text) write(path, text, false);
}

/** Null where there is none. Throws where it is damaged, or of another version. */
export function readDescription<T>(path: string, version: number): T | null {
  const text = readText(path);
  if (text === null) return null;
  let read: Description;
  try {
    read = JSON.parse(text) as Description;
  } catch (cause) {
    throw new TwofoldError('internal', `The description ${path} is damaged.`, { cause });
  }
  if (read.version !== version)
    throw new TwofoldError('internal', `The description ${path} was written by another version of Twofold.`);
  return read.content as T;
}

/** A text file that is on the disk before this returns. */
export function writeDurably(path: string, text: string): void {
  write(path, text, true);
}

function textOf(version: number, content: unknown): string {
  return `${JSON.stringify({ version, content } satisfies Description)}\n`;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function write(path: string, text: string, durable: boolean): void {
  const fresh = `${path}.new`;
  const file = openSync(fresh, 'w', 0o600);
  try {
    writeAll(file, Buffer.from(text));
    if (durable) fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(fresh, path);
  if (durable) syncDirectory(dirname(path));
}

function writeAll(file: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done);
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
