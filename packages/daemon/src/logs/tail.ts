// Owns finding where the last N lines of a log begin, reading backwards and no more than is needed. Does not read them
// out.

import { maxLineBytes, parseRecord } from './format.ts';
import type { LogRecord, LogStream } from './format.ts';
import type { LogFile } from './files.ts';

const blockBytes = 64 << 10;
const newline = 0x0a;

export interface TailStart {
  /** Index into the files, oldest first; the files' number when nothing is to be shown. */
  readonly file: number;
  readonly offset: number;
  /** Records behind the start that belong to older lines, as `file:offset`: lines of the two streams interleave. */
  readonly skip: ReadonlySet<string>;
}

/**
 * The start of the last `count` lines of `streams`. A last line without its newline counts. Where a line's pieces lie
 * further apart than the longest line may be, the rest of it is taken for another line.
 */
export async function findTail(
  files: readonly LogFile[],
  count: number,
  streams: ReadonlySet<LogStream>,
): Promise<TailStart> {
  const search = new Search(count, streams);
  if (count <= 0) return { file: files.length, offset: 0, skip: new Set() };
  for (let file = files.length - 1; file >= 0; file--) {
    for await (const { record, offset } of backwards(files[file]!)) {
      if (search.meet(record, file, offset)) return search.result();
    }
  }
  return search.result();
}

class Search {
  readonly #count: number;
  readonly #streams: ReadonlySet<LogStream>;
  /**
   * Of each stream: whether the record met last belongs to a line that counts, and how much of that line has been seen.
   */
  readonly #lines = new Map<LogStream, { counts: boolean; bytes: number }>();
  readonly #skipped: { file: number; offset: number }[] = [];
  #lastFile = 0;
  #lastOffset = 0;
  #found = 0;
  #beyond = 0;

  constructor(count: number, streams: ReadonlySet<LogStream>) {
    this.#count = count;
    this.#streams = streams;
  }

  /** Takes the next older record; true when enough is known. */
  meet(record: LogRecord, file: number, offset: number): boolean {
    if (this.#streams.has(record.stream)) this.#take(record, file, offset);
    if (this.#found < this.#count) return false;
    this.#beyond += record.content.length + 40;
    return this.#beyond > maxLineBytes || [...this.#lines.values()].every((line) => !line.counts);
  }

  result(): TailStart {
    const after = this.#skipped.filter(
      ({ file, offset }) => file > this.#lastFile || (file === this.#lastFile && offset > this.#lastOffset),
    );
    return {
      file: this.#lastFile,
      offset: this.#lastOffset,
      skip: new Set(after.map(({ file, offset }) => `${file}:${offset}`)),
    };
  }

  #take(record: LogRecord, file: number, offset: number): void {
    let line = this.#lines.get(record.stream);
    if (line === undefined || record.full || line.bytes + record.content.length > maxLineBytes) {
      line = { counts: this.#found < this.#count, bytes: 0 };
      if (line.counts) this.#found++;
      this.#lines.set(record.stream, line);
    }
    line.bytes += record.content.length;
    if (line.counts) {
      this.#lastFile = file;
      this.#lastOffset = offset;
      this.#beyond = 0;
    } else {
      this.#skipped.push({ file, offset });
    }
  }
}

/** The whole records of a file, newest first. */
async function* backwards(file: LogFile): AsyncIterable<{ record: LogRecord; offset: number }> {
  let end = await file.size();
  let tail: Buffer = Buffer.alloc(0); // bytes behind `end` that belong to a record beginning before it
  let whole = false; // whether `tail` ends with a record's newline
  while (end > 0) {
    const start = Math.max(0, end - blockBytes);
    const block = Buffer.allocUnsafe(end - start);
    await file.handle.read(block, 0, block.length, start);
    const data = tail.length > 0 ? Buffer.concat([block, tail]) : block;
    let stop = data.length;
    for (
      let at = data.lastIndexOf(newline, stop - 1);
      at >= 0;
      at = at === 0 ? -1 : data.lastIndexOf(newline, at - 1)
    ) {
      // Between two newlines lies a record; behind the last one of the file lies one that is still being written.
      if (whole) {
        const record = parseRecord(data.subarray(at + 1, stop));
        if (record !== null) yield { record, offset: start + at + 1 };
      }
      whole = true;
      stop = at;
    }
    tail = Buffer.from(data.subarray(0, stop));
    end = start;
  }
  if (!whole || tail.length === 0) return;
  const record = parseRecord(tail);
  if (record !== null) yield { record, offset: 0 };
}
