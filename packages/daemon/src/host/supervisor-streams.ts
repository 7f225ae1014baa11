// Owns a process's streams on a conversation: input as a Writable, output in order, the exit last. Its shape is
// drivers/driver.ts's ProcessStreams.

import { Writable } from 'node:stream';
import { FrameType, isTwofoldError, MAX_CHUNK_BYTES, TlvReader, TwofoldError } from '@twofold/contract';
import { exitOf, type Conversation, type WireExit } from './conversation.ts';

export interface WantedStreams {
  readonly stdin: boolean;
  /** Without it there is none to read, and it ends with the process all the same. */
  readonly output: boolean;
}

export interface StreamChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

export class SupervisorStreams implements AsyncDisposable {
  readonly stdin: Writable | null;
  readonly output: AsyncIterable<StreamChunk>;
  readonly exit: Promise<WireExit>;
  readonly #conversation: Conversation;
  readonly #exit = Promise.withResolvers<WireExit>();

  constructor(conversation: Conversation, want: WantedStreams) {
    this.#conversation = conversation;
    this.exit = this.#exit.promise;
    // Whoever only reads the output must not fall over an exit that nobody asked for.
    this.exit.catch(() => undefined);
    this.stdin = want.stdin ? inputOf(conversation) : null;
    this.output = this.#output();
    if (!want.output) this.output = silence(drain(this.output));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#conversation.destroy();
    this.#exit.reject(new TwofoldError('cancelled', 'The streams were released before the process ended.'));
  }

  async *#output(): AsyncGenerator<StreamChunk, void, undefined> {
    try {
      for (;;) {
        const { type, payload } = await this.#conversation.read();
        if (type === FrameType.EXIT) {
          this.#exit.resolve(exitOf(new TlvReader(payload)));
          this.#conversation.destroy();
          return;
        }
        if ((type === FrameType.STDOUT || type === FrameType.STDERR) && payload.length > 0)
          yield { stream: type === FrameType.STDOUT ? 'stdout' : 'stderr', data: payload };
      }
    } catch (error) {
      this.#exit.reject(error as TwofoldError);
      // Who let go knows; everybody else must not take a cut output for a whole one.
      if (!isTwofoldError(error, 'cancelled')) throw error;
    }
  }
}

/** Read to its end at once, so that the exit is known though nobody reads. */
async function drain(frames: AsyncIterable<StreamChunk>): Promise<void> {
  try {
    for await (const chunk of frames) void chunk;
  } catch {
    // The exit has been rejected with it.
  }
}

function silence(end: Promise<void>): AsyncIterable<StreamChunk> {
  const next = () => end.then(() => ({ done: true as const, value: undefined }));
  return { [Symbol.asyncIterator]: () => ({ next }) };
}

function inputOf(conversation: Conversation): Writable {
  return new Writable({
    highWaterMark: MAX_CHUNK_BYTES,
    write(chunk: Buffer, _encoding, done) {
      void send(conversation, chunk).then(() => done());
    },
    final(done) {
      void conversation.write(FrameType.STDIN, Buffer.alloc(0)).then(() => done());
    },
  });
}

async function send(conversation: Conversation, chunk: Buffer): Promise<void> {
  for (let at = 0; at < chunk.length; at += MAX_CHUNK_BYTES)
    await conversation.write(FrameType.STDIN, chunk.subarray(at, at + MAX_CHUNK_BYTES));
}
