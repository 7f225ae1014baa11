// Owns reading a container's log out: all of it or its tail, between two times, to its present end or on and on.
// Streams: holds a block, and lines that are not whole yet. Does not write logs: the supervisor does (docs/logs.md).
//
//   files oldest first ─▶ records ─▶ (tail's start, time, stream) ─▶ lines; at the end of a file: the next one, or
//   wait, or done

import { openFiles, openNext, RecordCursor } from './files.ts';
import type { LogFile } from './files.ts';
import { Growth } from './follow.ts';
import { formatTime, LineJoiner } from './format.ts';
import type { Line, LogStream } from './format.ts';
import { findTail } from './tail.ts';

export interface ReadOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /**
   * Null: to the log's present end. Otherwise read on until it fires, which says that the container has ended and its
   * log is whole.
   */
  readonly follow: AbortSignal | null;
  /** Lines from the end. */
  readonly tail: number | 'all';
  /** Unix nanoseconds; lines from then on. */
  readonly since?: bigint;
  /** Unix nanoseconds; lines up to then. A follower ends when it has passed. */
  readonly until?: bigint;
}

/**
 * The lines of the log at `path` in the order in which they ended. Ends early, without an error, when `signal` fires.
 * No file yet is an empty log.
 */
export async function* readLog(path: string, options: ReadOptions, signal: AbortSignal): AsyncIterable<Line> {
  await using stack = new AsyncDisposableStack();
  // The watch comes before the first read, so that nothing written in between goes unnoticed.
  const growth = options.follow === null ? null : stack.use(new Growth(path, [options.follow, signal]));
  let files = await waitForFiles(path, options, growth, signal);
  stack.defer(async () => {
    for (const file of files) await file[Symbol.asyncDispose]();
  });
  // Without following, the present end is where the newest file ends now: a fast writer is not run after.
  const present = options.follow === null ? await files.at(-1)?.size() : undefined;
  const window = new Window(options);
  const joiner = new LineJoiner();
  const start =
    options.tail === 'all'
      ? { file: 0, offset: 0, skip: new Set<string>() }
      : await findTail(files, options.tail, window.streams);
  const skipAll = start.file >= files.length;

  for (let index = Math.min(start.file, files.length - 1); index >= 0 && index < files.length;) {
    const file = files[index]!;
    const end = index === files.length - 1 ? (present ?? Infinity) : Infinity;
    const cursor = new RecordCursor(file, skipAll ? await file.size() : index === start.file ? start.offset : 0, end);
    for (;;) {
      // Asked before reading: what was written before the answer is read below.
      const wasLast = index === files.length - 1;
      const ended = options.follow?.aborted ?? true;
      const next = wasLast && options.follow !== null ? await openNext(path, file.identity) : null;
      if (next !== null) files = [...files, next];
      for await (const block of cursor.blocks()) {
        for (const { record, offset } of block) {
          if (!window.streams.has(record.stream) || start.skip.has(`${index}:${offset}`)) continue;
          const line = joiner.push(record);
          if (line === null || window.isBefore(line.time)) continue;
          if (window.isOver(line.time)) return;
          yield line;
        }
        if (signal.aborted) return;
      }
      if (!wasLast || next !== null) break;
      if (signal.aborted) return;
      if (ended) {
        for (const line of joiner.rest()) if (!window.isBefore(line.time) && !window.isOver(line.time)) yield line;
        return;
      }
      const leftMs = window.leftMs();
      if (leftMs <= 0) return;
      await growth!.wait(leftMs);
    }
    // Whoever follows for long holds no file that was rotated away, nor its room on the disk.
    await file[Symbol.asyncDispose]();
    index++;
  }
}

async function waitForFiles(
  path: string,
  options: ReadOptions,
  growth: Growth | null,
  signal: AbortSignal,
): Promise<LogFile[]> {
  for (;;) {
    const ended = options.follow?.aborted ?? true;
    const files = await openFiles(path);
    if (files.length > 0 || ended || signal.aborted) return files;
    await growth!.wait();
  }
}

/** What of a log was asked for. */
class Window {
  readonly streams: ReadonlySet<LogStream>;
  readonly #since: string | null;
  readonly #until: string | null;
  readonly #untilNs: bigint | null;

  constructor(options: ReadOptions) {
    this.streams = new Set<LogStream>([
      ...(options.stdout ? ['stdout' as const] : []),
      ...(options.stderr ? ['stderr' as const] : []),
    ]);
    // The supervisor's times all have one form, in which order of text is order of time.
    this.#since = options.since === undefined || options.since <= 0n ? null : formatTime(options.since);
    this.#untilNs = options.until === undefined || options.until <= 0n ? null : options.until;
    this.#until = this.#untilNs === null ? null : formatTime(this.#untilNs);
  }

  isBefore(time: string): boolean {
    return this.#since !== null && time < this.#since;
  }

  isOver(time: string): boolean {
    return this.#until !== null && time > this.#until;
  }

  /** Milliseconds until nothing more can come. */
  leftMs(): number {
    return this.#untilNs === null ? Infinity : Number(this.#untilNs / 1_000_000n) - Date.now() + 1;
  }
}
