// Owns an attachment that may be made before the process is there: what is written waits (to the high-water mark, then
// the writer does), what is read comes from the process's first byte on. Does not know when the process starts:
// start.ts connects it.

import { Writable } from 'node:stream';
import { TwofoldError } from '@twofold/contract';
import type { ProcessStreams } from '../../drivers/driver.ts';
import type { Attachment } from '../engine.ts';

export interface Want {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export class PendingAttachment implements Attachment {
  readonly tty: boolean;
  readonly want: Want;
  readonly stdin: Writable | null;
  readonly output: Attachment['output'];
  readonly #connection = Promise.withResolvers<ProcessStreams | null>();
  readonly #onLetGo: (attachment: PendingAttachment) => void;
  #streams: ProcessStreams | null = null;
  #gone = false;

  constructor(tty: boolean, want: Want, onLetGo: (attachment: PendingAttachment) => void) {
    this.tty = tty;
    this.want = want;
    this.#onLetGo = onLetGo;
    this.stdin = want.stdin ? this.#input() : null;
    this.output = this.#output();
  }

  /** Joins it to the process's streams. A client that has gone meanwhile lets go of them at once. */
  async connect(streams: ProcessStreams): Promise<void> {
    if (this.#gone) return streams[Symbol.asyncDispose]();
    this.#streams = streams;
    streams.exit.catch(() => undefined); // told by the supervisor's watch; unread here
    this.#connection.resolve(streams);
  }

  /** There will be no process: the output ends. */
  giveUp(): void {
    this.#connection.resolve(null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#gone) return;
    this.#gone = true;
    this.#onLetGo(this);
    this.#connection.resolve(null);
    this.stdin?.destroy();
    await this.#streams?.[Symbol.asyncDispose]();
  }

  async *#output(): Attachment['output'] {
    const streams = await this.#connection.promise;
    if (streams === null) return;
    try {
      yield* streams.output;
    } catch (error) {
      // A supervisor that vanished: the reader learns the end here and the reason from the container's state.
      if (!(error instanceof TwofoldError)) throw error;
    }
  }

  #input(): Writable {
    const target = async (): Promise<Writable | null> => (await this.#connection.promise)?.stdin ?? null;
    // What a process doesn't read any more (EPIPE) is dropped, as a terminal's or docker's input is.
    return new Writable({
      write(chunk: Buffer, _encoding, done) {
        void target()
          .then(async (stdin) => {
            if (stdin !== null && !stdin.destroyed && stdin.writable)
              await new Promise<void>((resolve) => stdin.write(chunk, () => resolve()));
          })
          .then(
            () => done(),
            () => done(),
          );
      },
      final(done) {
        void target()
          .then((stdin) => stdin?.end())
          .then(
            () => done(),
            () => done(),
          );
      },
    });
  }
}
