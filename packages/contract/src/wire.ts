// Owns the bytes of the frame protocol that daemon, supervisor and guest agent speak (docs/protocol.md), and of the
// tag-length-value lists inside frames. Mirrors native/common/wire.h; tests/supervisor/wire-header.test.ts holds both
// to the same numbers. Does not own sockets: host/supervisor-connection.ts does.

import { TwofoldError } from './errors.ts';

export const HEADER_BYTES = 12;
/** A frame with more payload than this is broken and ends the conversation (and, from a guest, the VM). */
export const MAX_PAYLOAD_BYTES = 1 << 20;
/** Stream frames carry at most this much. */
export const MAX_CHUNK_BYTES = 64 << 10;
/** Bytes of a stream that may be under way on the guest's link without a WINDOW frame. */
export const LINK_WINDOW_BYTES = 256 << 10;
/** Groups that a process may be in. */
export const MAX_GROUPS = 4096;
export const PROTOCOL_VERSION = 1;

export const FrameType = {
  HELLO: 1,
  REPLY: 2,
  ERROR: 3,
  CLOSE: 4,
  WINDOW: 5,
  PREPARE: 16,
  START: 17,
  ATTACH: 18,
  EXEC: 19,
  SIGNAL: 20,
  RESIZE: 21,
  WATCH: 22,
  STATE: 23,
  TOOL: 24,
  NETWORK: 25,
  DELETE: 26,
  SHUTDOWN: 27,
  PAUSE: 28,
  RESUME: 29,
  RESOLVE_USER: 30,
  UPDATE: 31,
  QMP: 32,
  CONFIGURE: 33,
  ADOPT: 34,
  STDIN: 48,
  STDOUT: 49,
  STDERR: 50,
  EXIT: 51,
  DETACHED: 52,
  EVENT: 64,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export const Tag = {
  CODE: 1,
  MESSAGE: 2,
  ERRNO: 3,
  VERSION: 4,
  CONTAINER: 8,
  EXEC: 9,
  PID: 10,
  SIGNAL: 11,
  ROWS: 12,
  COLUMNS: 13,
  EXIT_CODE: 14,
  OOM_KILLED: 15,
  STATE: 16,
  TIME: 17,
  EVENT: 18,
  EXIT_SIGNAL: 19,
  STARTED: 20,
  FINISHED: 21,
  ARG: 32,
  ENV: 33,
  CWD: 34,
  UID: 35,
  GID: 36,
  GROUP: 37,
  USER: 38,
  HOME: 39,
  TERMINAL: 40,
  STDIN: 41,
  STDIN_ONCE: 42,
  CAP_BOUNDING: 43,
  CAP_EFFECTIVE: 44,
  CAP_INHERITABLE: 45,
  CAP_PERMITTED: 46,
  CAP_AMBIENT: 47,
  RLIMIT: 48,
  NO_NEW_PRIVILEGES: 49,
  OOM_SCORE_ADJ: 50,
  SECCOMP: 51,
  UMASK: 52,
  HOSTNAME: 64,
  DOMAINNAME: 65,
  SYSCTL: 66,
  NAMESPACE: 67,
  MOUNT: 68,
  MASKED_PATH: 69,
  READONLY_PATH: 70,
  ROOT_READONLY: 71,
  DEVICE: 72,
  FILE: 73,
  CGROUP: 74,
  CGROUP_SET: 75,
  ROOTFS: 76,
  LAYER: 80,
  UPPER: 81,
  WORK: 82,
  DISK: 83,
  PARTITION: 84,
  TARGET: 85,
  READ_ONLY: 86,
  LOG_PATH: 96,
  LOG_MAX_BYTES: 97,
  LOG_MAX_FILES: 98,
  BUNDLE: 99,
  RUNTIME: 100,
  RUNTIME_ARG: 101,
  OOM_FILE: 102,
  EXIT_FILE: 103,
  LOG_MINIMUM_FREE: 104,
  INTERFACE: 112,
  MAC: 113,
  ADDRESS: 114,
  GATEWAY: 115,
  MTU: 116,
  NAME: 117,
  HOST_NAME: 118,
  TABLE: 119,
  PATH: 128,
  MODE: 129,
  DATA: 130,
  SOURCE: 131,
  TYPE: 132,
  OPTIONS: 133,
  FLAGS: 134,
  OFFSET: 135,
  LENGTH: 136,
  VALUE: 137,
  MEMORY: 138,
  SAVED: 139,
} as const;
export type Tag = (typeof Tag)[keyof typeof Tag];

export interface Frame {
  readonly type: number;
  readonly channel: number;
  readonly payload: Buffer;
}

/**
 * One frame as bytes: header (little endian: u32 payload length, u32 channel, u16 type, u16 zero), then the payload.
 */
export function encodeFrame(type: FrameType, channel: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  if (payload.length > MAX_PAYLOAD_BYTES)
    throw new TwofoldError(
      'invalid-argument',
      `A message of ${payload.length} bytes is longer than the protocol's limit of ${MAX_PAYLOAD_BYTES}.`,
    );
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt32LE(channel, 4);
  frame.writeUInt16LE(type, 8);
  frame.writeUInt16LE(0, 10);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

/**
 * Cuts a byte stream into frames. Throws `protocol` on a header that cannot be right; never holds more than one frame
 * and one chunk.
 */
export class FrameReader {
  #pieces: Buffer[] = [];
  #held = 0;
  /** Bytes that the frame which has begun needs: its header, and once that is known all of it. */
  #wanted = HEADER_BYTES;

  /**
   * The whole frames in what has come so far. A payload is a view of `chunk` where it lies in one; other bytes are
   * copied once.
   */
  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    let rest = chunk;
    while (this.#held + rest.length >= this.#wanted) {
      if (this.#held === 0 && this.#wanted === HEADER_BYTES) {
        const whole = HEADER_BYTES + payloadLength(rest);
        if (rest.length < whole) {
          this.#wanted = whole;
          break;
        }
        frames.push(frameOf(rest.subarray(0, whole)));
        rest = rest.subarray(whole);
        continue;
      }
      const take = this.#wanted - this.#held;
      const joined = Buffer.concat([...this.#pieces, rest.subarray(0, take)], this.#wanted);
      rest = rest.subarray(take);
      const whole = HEADER_BYTES + payloadLength(joined);
      if (joined.length === whole) frames.push(frameOf(joined));
      this.#pieces = joined.length === whole ? [] : [joined];
      this.#held = joined.length === whole ? 0 : joined.length;
      this.#wanted = joined.length === whole ? HEADER_BYTES : whole;
    }
    if (rest.length > 0) this.#pieces.push(rest);
    this.#held += rest.length;
    return frames;
  }
}

function payloadLength(header: Buffer): number {
  const length = header.readUInt32LE(0);
  if (length > MAX_PAYLOAD_BYTES || header.readUInt16LE(10) !== 0)
    throw new TwofoldError('protocol', 'A frame has an invalid header.');
  return length;
}

function frameOf(whole: Buffer): Frame {
  return { type: whole.readUInt16LE(8), channel: whole.readUInt32LE(4), payload: whole.subarray(HEADER_BYTES) };
}

/**
 * Builds a tag-length-value list: u16 tag, u16 zero, u32 length, bytes; numbers are u64 little endian, strings UTF-8
 * without a terminator.
 */
export class TlvWriter {
  readonly #parts: Buffer[] = [];

  bytes(tag: Tag, value: Uint8Array): this {
    const header = Buffer.allocUnsafe(8);
    header.writeUInt16LE(tag, 0);
    header.writeUInt16LE(0, 2);
    header.writeUInt32LE(value.length, 4);
    this.#parts.push(header, Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    return this;
  }

  /** Throws `invalid-argument` on a NUL byte, which no string of the kernel can hold. */
  string(tag: Tag, value: string): this {
    if (value.includes('\0')) throw new TwofoldError('invalid-argument', 'A value contains a NUL byte.');
    return this.bytes(tag, Buffer.from(value, 'utf8'));
  }

  strings(tag: Tag, values: Iterable<string>): this {
    for (const value of values) this.string(tag, value);
    return this;
  }

  number(tag: Tag, value: number | bigint): this {
    const buffer = Buffer.allocUnsafe(8);
    buffer.writeBigInt64LE(BigInt(value));
    return this.bytes(tag, buffer);
  }

  flag(tag: Tag, value: boolean | undefined): this {
    return value === true ? this.number(tag, 1) : this;
  }

  list(tag: Tag, build: (writer: TlvWriter) => void): this {
    const inner = new TlvWriter();
    build(inner);
    return this.bytes(tag, inner.finish());
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/**
 * Reads a tag-length-value list that may come from a guest: everything is checked, and unknown tags are kept for the
 * caller to ignore.
 */
export class TlvReader {
  readonly #entries: { tag: number; value: Buffer }[] = [];

  constructor(data: Buffer) {
    let at = 0;
    while (at < data.length) {
      if (data.length - at < 8) throw new TwofoldError('protocol', 'A list ends in the middle of an entry.');
      const length = data.readUInt32LE(at + 4);
      if (length > data.length - at - 8) throw new TwofoldError('protocol', 'An entry is longer than its list.');
      this.#entries.push({ tag: data.readUInt16LE(at), value: data.subarray(at + 8, at + 8 + length) });
      at += 8 + length;
    }
  }

  bytes(tag: Tag): Buffer | undefined {
    return this.#entries.find((entry) => entry.tag === tag)?.value;
  }

  all(tag: Tag): Buffer[] {
    return this.#entries.filter((entry) => entry.tag === tag).map((entry) => entry.value);
  }

  string(tag: Tag): string | undefined {
    return this.bytes(tag)?.toString('utf8');
  }

  strings(tag: Tag): string[] {
    return this.all(tag).map((value) => value.toString('utf8'));
  }

  /** Throws `protocol` when the number is not eight bytes long or is beyond 2^53. */
  number(tag: Tag): number | undefined {
    const value = this.bytes(tag);
    if (value === undefined) return undefined;
    if (value.length !== 8) throw new TwofoldError('protocol', 'A number is not eight bytes long.');
    const number = Number(value.readBigInt64LE());
    if (!Number.isSafeInteger(number)) throw new TwofoldError('protocol', 'A number is out of range.');
    return number;
  }

  numbers(tag: Tag): number[] {
    return this.all(tag).map((value) =>
      new TlvReader(Buffer.concat([headerOf(tag, value.length), value])).number(tag)!,
    );
  }

  flag(tag: Tag): boolean {
    return this.number(tag) === 1;
  }

  lists(tag: Tag): TlvReader[] {
    return this.all(tag).map((value) => new TlvReader(value));
  }
}

function headerOf(tag: Tag, length: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16LE(tag, 0);
  header.writeUInt32LE(length, 4);
  return header;
}
