// Owns the files of one log: which there are, in what order, and reading their records from a place on. The newest is
// `path`, older ones are `path.1`, `path.2`, …; the supervisor rotates by renaming, so an open file goes on being the
// same file. Does not join lines.

import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { parseRecord } from './format.ts';
import type { LogRecord } from './format.ts';

const blockBytes = 256 << 10;
const newline = 0x0a;
/** A record without a newline for this long is no record: the file is damaged, and reading goes on behind it. */
const maxRecordBytes = 4 << 20;

/** One open file of a log. */
export class LogFile implements AsyncDisposable {
  readonly handle: FileHandle;
  readonly identity: string;

  private constructor(handle: FileHandle, identity: string) {
    this.handle = handle;
    this.identity = identity;
  }

  /** Null when there is none. */
  static async open(path: string): Promise<LogFile | null> {
    const handle = await open(path, 'r').catch(absent);
    if (handle === null) return null;
    try {
      const { dev, ino } = await handle.stat({ bigint: true });
      return new LogFile(handle, `${dev}:${ino}`);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async size(): Promise<number> {
    return (await this.handle.stat()).size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.close();
  }
}

/** Name of the `age`th file: 0 is the newest. */
export function nameOf(path: string, age: number): string {
  return age === 0 ? path : `${path}.${age}`;
}

const attempts = 50; // rotations while the files are being opened

/** Every file, oldest first. Begins again when the log was rotated meanwhile. */
export async function openFiles(path: string): Promise<LogFile[]> {
  for (let attempt = 1; ; attempt++) {
    const files: LogFile[] = [];
    for (let age = 0; ; age++) {
      const file = await LogFile.open(nameOf(path, age));
      if (file === null) break;
      files.push(file);
    }
    const newest = await identityOf(path);
    // No newest but older ones: between the two steps of a rotation.
    const whole =
      newest === (files[0]?.identity ?? null) && (newest !== null || (await identityOf(nameOf(path, 1))) === null);
    if (whole || attempt === attempts) return files.reverse();
    for (const file of files) await file[Symbol.asyncDispose]();
  }
}

/**
 * The file that comes after `identity`: null while that one is the newest, the oldest there is when it has been thrown
 * away.
 */
export async function openNext(path: string, identity: string): Promise<LogFile | null> {
  if ((await identityOf(path)) === identity) return null;
  for (let age = 1; ; age++) {
    const found = await identityOf(nameOf(path, age));
    if (found !== null && found !== identity) continue;
    const next = await LogFile.open(nameOf(path, age - 1));
    if (found === null || (await identityOf(nameOf(path, age))) === identity) return next;
    await next?.[Symbol.asyncDispose](); // rotated once more while we looked
    age = 0;
  }
}

async function identityOf(path: string): Promise<string | null> {
  const found = await stat(path, { bigint: true }).catch(absent);
  return found === null ? null : `${found.dev}:${found.ino}`;
}

function absent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

/** A place in a file from which records are read on; what is not yet a whole record is read again later. */
export class RecordCursor {
  readonly #file: LogFile;
  readonly #end: number;
  #offset: number;
  #block = Buffer.allocUnsafe(blockBytes);

  /** `end`: what is written behind it is not read. */
  constructor(file: LogFile, offset: number, end: number) {
    this.#file = file;
    this.#offset = offset;
    this.#end = end;
  }

  /**
   * The records that are whole now, a block at a time, with their offsets. Content is valid until the next block is
   * asked for.
   */
  async *blocks(): AsyncIterable<{ record: LogRecord; offset: number }[]> {
    while (this.#offset < this.#end) {
      const { bytesRead } = await this.#file.handle.read(
        this.#block,
        0,
        Math.min(this.#block.length, this.#end - this.#offset),
        this.#offset,
      );
      if (bytesRead === 0) return;
      const records: { record: LogRecord; offset: number }[] = [];
      let at = 0;
      for (
        let end = this.#block.indexOf(newline);
        end >= 0 && end < bytesRead;
        end = this.#block.indexOf(newline, at)
      ) {
        const record = parseRecord(this.#block.subarray(at, end));
        if (record !== null) records.push({ record, offset: this.#offset + at });
        at = end + 1;
      }
      this.#offset += at;
      if (records.length > 0) yield records;
      if (at > 0) continue;
      if (bytesRead < this.#block.length) return;
      if (this.#block.length >= maxRecordBytes) this.#offset += bytesRead;
      else this.#block = Buffer.allocUnsafe(this.#block.length * 2);
    }
  }
}
