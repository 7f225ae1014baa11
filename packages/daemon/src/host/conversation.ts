// Owns one connection to a supervisor: frames in and out with back-pressure. Frames are read one after the other; what
// comes faster than it is read stays in the kernel, where it makes the supervisor wait.

import { closeSync, constants, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import {
  callerErrorCodes,
  encodeFrame,
  engineErrorCodes,
  FrameReader,
  FrameType,
  Tag,
  TlvReader,
  TwofoldError,
  PROTOCOL_VERSION,
  type ErrorCode,
  type Frame,
} from '@twofold/contract';

/** Bytes waiting to be read beyond which the socket is not read any more. */
const highWaterBytes = 256 << 10;
/** The same for a supervisor's last words: what pipes hold, and what a guest may say after its exit (vm_process.c). */
const lastWordsBytes = 16 << 20;
const socketPathLimit = 107;

interface Waiter {
  resolve(frame: Frame): void;
  reject(error: TwofoldError): void;
}

export class Conversation {
  readonly #socket: Socket;
  readonly #frames = new FrameReader();
  #queue: Frame[] = [];
  #queuedBytes = 0;
  #waiter: Waiter | null = null;
  #end: TwofoldError | null = null;
  #supervisorPid = 0;
  #limitBytes = highWaterBytes;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) =>
      this.#finish(new TwofoldError('sandbox-gone', 'The sandbox ended during a request.', { cause: error })),
    );
    socket.on('close', () => this.#finish(new TwofoldError('sandbox-gone', 'The sandbox ended during a request.')));
  }

  /** Connects and reads the supervisor's HELLO. */
  static async open(socketPath: string, signal: AbortSignal): Promise<Conversation> {
    const conversation = new Conversation(connectTo(socketPath));
    try {
      const hello = await conversation.read(signal);
      const list = new TlvReader(hello.payload);
      if (hello.type !== FrameType.HELLO || list.number(Tag.VERSION) !== PROTOCOL_VERSION)
        throw new TwofoldError('protocol', 'The supervisor speaks another version of the protocol.');
      conversation.#supervisorPid = list.number(Tag.PID) ?? 0;
      return conversation;
    } catch (error) {
      conversation.destroy();
      throw error;
    }
  }

  get supervisorPid(): number {
    return this.#supervisorPid;
  }

  get isOpen(): boolean {
    return this.#end === null;
  }

  /** Resolves when the kernel has taken it. A conversation that has ended takes nothing and says so on read. */
  write(type: FrameType, payload: Uint8Array): Promise<void> {
    if (this.#end !== null) return Promise.resolve();
    return new Promise((resolve) => this.#socket.write(encodeFrame(type, 0, payload), () => resolve()));
  }

  /** The next frame; one reader at a time. After what came before the end has been read, rejects with why it ended. */
  async read(signal?: AbortSignal): Promise<Frame> {
    const next = this.#queue.shift();
    if (next !== undefined) {
      this.#queuedBytes -= next.payload.length;
      if (this.#queuedBytes < this.#limitBytes && this.#socket.isPaused()) this.#socket.resume();
      return next;
    }
    if (this.#end !== null) throw this.#end;
    if (signal?.aborted === true) throw cancelled(signal);
    const { promise, resolve, reject } = Promise.withResolvers<Frame>();
    this.#waiter = { resolve, reject };
    const onAbort = () => {
      this.#waiter = null;
      reject(cancelled(signal));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** From now on what comes is taken at once and kept until it is read: the supervisor is about to end. */
  takeAll(): void {
    this.#limitBytes = lastWordsBytes;
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
    this.#finish(new TwofoldError('cancelled', 'The conversation with the sandbox was closed.'));
  }

  #take(chunk: Buffer): void {
    let frames: Frame[];
    try {
      frames = this.#frames.push(chunk);
    } catch (error) {
      this.#socket.destroy();
      this.#finish(error as TwofoldError);
      return;
    }
    for (const frame of frames) {
      if (this.#waiter !== null) {
        const { resolve } = this.#waiter;
        this.#waiter = null;
        resolve(frame);
      } else {
        this.#queue.push(frame);
        this.#queuedBytes += frame.payload.length;
      }
    }
    if (this.#queuedBytes >= this.#limitBytes) this.#socket.pause();
  }

  #finish(why: TwofoldError): void {
    this.#end ??= why;
    this.#waiter?.reject(this.#end);
    this.#waiter = null;
  }
}

/** The error that an ERROR frame carries. */
export function errorOf(list: TlvReader): TwofoldError {
  return errorFrom(list.string(Tag.CODE) ?? '', list.string(Tag.MESSAGE) ?? 'The sandbox refused the request.');
}

/** An error that a peer names; a code that nobody knows is `internal`. */
export function errorFrom(code: string, message: string): TwofoldError {
  const known = ([...callerErrorCodes, ...engineErrorCodes] as string[]).includes(code);
  return new TwofoldError(known ? (code as ErrorCode) : 'internal', message);
}

export interface WireExit {
  readonly code: number;
  readonly signal?: number;
  readonly oomKilled: boolean;
  readonly finishedAt: number;
}

/** An exit, as REPLY, EXIT, EVENT frames and exit files have it. */
export function exitOf(list: TlvReader): WireExit {
  const signal = list.number(Tag.EXIT_SIGNAL);
  // Nanoseconds since 1970 are beyond what a number holds exactly; milliseconds are all that is told further.
  const finished = list.bytes(Tag.FINISHED) ?? list.bytes(Tag.TIME);
  return {
    code: list.number(Tag.EXIT_CODE) ?? 255,
    ...(signal === undefined || signal === 0 ? {} : { signal }),
    oomKilled: list.flag(Tag.OOM_KILLED),
    finishedAt: finished?.length === 8 ? Number(finished.readBigInt64LE() / 1_000_000n) : Date.now(),
  };
}

function connectTo(socketPath: string): Socket {
  if (Buffer.byteLength(socketPath) <= socketPathLimit) return connect({ path: socketPath });
  // The kernel's limit is on the name, not on the place: by way of the directory's descriptor it is short.
  const directory = openSync(dirname(socketPath), constants.O_RDONLY | constants.O_DIRECTORY);
  const socket = connect({ path: `/proc/self/fd/${directory}/${basename(socketPath)}` });
  let open = true;
  const close = () => {
    if (open) closeSync(directory);
    open = false;
  };
  return socket.once('connect', close).once('close', close);
}

function cancelled(signal: AbortSignal | undefined): TwofoldError {
  return new TwofoldError('cancelled', 'Waiting for the sandbox was cancelled.', { cause: signal?.reason });
}
