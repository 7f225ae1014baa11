// Owns the form of a container's log (Kubernetes' CRI format, docs/logs.md): one record a line, and how records become
// lines of output again. Pure. Does not own files.

export type LogStream = 'stdout' | 'stderr';

/** `<time> <stream> <F|P> <content>\n`: `F` ends a line of output, `P` is a piece of one. */
export interface LogRecord {
  readonly time: string;
  readonly stream: LogStream;
  readonly full: boolean;
  /** A view, valid as long as the buffer is. */
  readonly content: Buffer;
}

/** A line of output; engine.ts's LogLine has the same shape. */
export interface Line {
  readonly stream: LogStream;
  readonly time: string;
  readonly data: Buffer;
}

/**
 * A line longer than this is handed on in pieces, so that a program which never ends its line cannot fill our memory.
 */
export const maxLineBytes = 1 << 20;

const space = 0x20;
const newline = Buffer.from('\n');

/** The record in `bytes` (without its newline), or null when it is none: torn by a crash of the machine. */
export function parseRecord(bytes: Buffer): LogRecord | null {
  const first = bytes.indexOf(space);
  if (first < 20 || first > 40) return null;
  const second = bytes.indexOf(space, first + 1);
  const stream = second < 0 ? '' : bytes.toString('latin1', first + 1, second);
  if (stream !== 'stdout' && stream !== 'stderr') return null;
  const tag = bytes[second + 1];
  if ((tag !== 0x46 && tag !== 0x50) || bytes[second + 2] !== space) return null;
  return { time: bytes.toString('latin1', 0, first), stream, full: tag === 0x46, content: bytes.subarray(second + 3) };
}

interface Pending {
  time: string;
  pieces: Buffer[];
  bytes: number;
}

/** Joins pieces to lines, per stream, byte-exact. */
export class LineJoiner {
  readonly #pending = new Map<LogStream, Pending>();

  /** The line that `record` ends, or null when more of it is to come. Copies the content. */
  push(record: LogRecord): Line | null {
    const held = this.#pending.get(record.stream);
    if (record.full) {
      this.#pending.delete(record.stream);
      return {
        stream: record.stream,
        time: held?.time ?? record.time,
        data: Buffer.concat([...(held?.pieces ?? []), record.content, newline]),
      };
    }
    const pending = held ?? { time: record.time, pieces: [], bytes: 0 };
    pending.pieces.push(Buffer.from(record.content));
    pending.bytes += record.content.length;
    if (pending.bytes < maxLineBytes) {
      this.#pending.set(record.stream, pending);
      return null;
    }
    this.#pending.delete(record.stream);
    return { stream: record.stream, time: pending.time, data: Buffer.concat(pending.pieces) };
  }

  /** What is left without a newline when the log has come to its end. */
  *rest(): Iterable<Line> {
    for (const [stream, { time, pieces }] of this.#pending) yield { stream, time, data: Buffer.concat(pieces) };
    this.#pending.clear();
  }
}

/** RFC 3339 with nanoseconds and any offset as Unix nanoseconds, or null. */
export function parseTime(text: string): bigint | null {
  const [, seconds, fraction = '', zone] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  if (seconds === undefined) return null;
  const milliseconds = Date.parse(`${seconds}${zone}`);
  return Number.isNaN(milliseconds) ? null : BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

/** RFC 3339 in UTC with nine digits of fraction, as the supervisor writes it. */
export function formatTime(nanoseconds: bigint): string {
  const fraction = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = new Date(Number((nanoseconds - fraction) / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${fraction.toString().padStart(9, '0')}Z`;
}
