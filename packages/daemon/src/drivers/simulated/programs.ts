// Owns the few programs that simulated containers can run, and their streams in memory. A program is a function of its
// arguments, its input and its signals; nothing of the host is touched.

import { PassThrough } from 'node:stream';
import { TwofoldError } from '@twofold/contract';
import type { ExitStatus, OutputChunk, ProcessStreams } from '../driver.ts';

type Reader = {
  queue: OutputChunk[];
  wake: () => void;
  want: { stdout: boolean; stderr: boolean };
  drained: () => void;
};

/** Bytes that may wait for a reader before the program does: what a pipe holds. */
const pipeBytes = 64 << 10;

/** One simulated process: `run` begins the program. */
export class SimulatedProcess {
  readonly pid: number;
  readonly startedAt = Date.now();
  readonly stdin = new PassThrough();
  readonly exit: Promise<ExitStatus>;
  status: ExitStatus | null = null;
  /** What has been written, for the log and for tests. */
  readonly log: OutputChunk[] = [];
  readonly signals: number[] = [];
  readonly #readers = new Set<Reader>();
  readonly #exit = Promise.withResolvers<ExitStatus>();
  readonly #signalled: ((signal: number) => void)[] = [];

  constructor(pid: number) {
    this.pid = pid;
    this.exit = this.#exit.promise;
    this.#exit.promise.catch(() => undefined);
  }

  attach(want: { stdin: boolean; stdout: boolean; stderr: boolean }): ProcessStreams {
    const reader: Reader = { queue: [], wake: () => undefined, want, drained: () => undefined };
    this.#readers.add(reader);
    const letGo = () => {
      this.#readers.delete(reader);
      reader.drained();
      reader.wake();
    };
    const ended = () => this.status !== null || !this.#readers.has(reader);
    async function* output(): AsyncIterable<OutputChunk> {
      for (;;) {
        const chunk = reader.queue.shift();
        if (chunk !== undefined) {
          reader.drained();
          yield chunk;
        } else if (ended()) return;
        else {
          const { promise, resolve } = Promise.withResolvers<void>();
          reader.wake = resolve;
          await promise;
        }
      }
    }
    return {
      stdin: want.stdin ? this.stdin : null,
      output: output(),
      exit: this.#exit.promise,
      [Symbol.asyncDispose]: async () => letGo(),
    };
  }

  async write(stream: 'stdout' | 'stderr', data: Buffer): Promise<void> {
    this.log.push({ stream, data });
    for (const reader of this.#readers) {
      if (!reader.want[stream]) continue;
      reader.queue.push({ stream, data });
      reader.wake();
      while (
        this.#readers.has(reader) &&
        this.status === null &&
        reader.queue.reduce((sum, { data: { length } }) => sum + length, 0) > pipeBytes
      ) {
        const { promise, resolve } = Promise.withResolvers<void>();
        reader.drained = resolve;
        await promise;
      }
    }
  }

  /** As the kernel does: signal 9 always ends it, others go to the program, or end it when it has no handler. */
  signal(signal: number): void {
    if (this.status !== null) return;
    this.signals.push(signal);
    if (signal === 9) this.end(137, 9);
    else if (this.#signalled.length > 0) for (const listener of this.#signalled) listener(signal);
    else if (signal !== 28) this.end(128 + signal, signal);
  }

  onSignal(listener: (signal: number) => void): void {
    this.#signalled.push(listener);
  }

  end(code: number, signal?: number, oomKilled = false): void {
    if (this.status !== null) return;
    this.status = { code, ...(signal === undefined ? {} : { signal }), oomKilled, finishedAt: Date.now() };
    this.#exit.resolve(this.status);
    this.#wakeAll();
  }

  /** The sandbox went away under it: nobody learns an exit from the process itself. */
  vanish(): void {
    if (this.status !== null) return;
    this.status = { code: 137, signal: 9, oomKilled: false, finishedAt: Date.now() };
    this.#exit.reject(new TwofoldError('sandbox-gone', 'The sandbox ended.'));
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const reader of this.#readers) {
      reader.wake();
      reader.drained();
    }
  }
}

/**
 * `true`, `false`, `exit N`, `echo …`, `echo-error …`, `cat`, `sleep`, `stubborn` (heeds SIGKILL only), `flood BYTES`,
 * `out-of-memory`.
 */
export function runProgram(process: SimulatedProcess, args: readonly string[]): void {
  const [name = '', ...rest] = args;
  switch (name) {
    case 'true':
      return process.end(0);
    case 'false':
      return process.end(1);
    case 'exit':
      return process.end(Number(rest[0] ?? 0));
    case 'echo':
    case 'echo-error':
      void process
        .write(name === 'echo' ? 'stdout' : 'stderr', Buffer.from(`${rest.join(' ')}\n`))
        .then(() => process.end(0));
      return;
    case 'cat':
      process.stdin.on('end', () => process.end(0));
      void (async () => {
        for await (const chunk of process.stdin) await process.write('stdout', chunk as Buffer);
      })();
      return;
    case 'sleep':
      return;
    case 'stubborn':
      return process.onSignal(() => undefined);
    case 'flood':
      void (async () => {
        const chunk = Buffer.alloc(16 << 10, 'x');
        for (let left = Number(rest[0]); left > 0 && process.status === null; left -= chunk.length)
          await process.write('stdout', chunk.subarray(0, Math.min(left, chunk.length)));
        process.end(0);
      })();
      return;
    case 'out-of-memory':
      return process.end(137, 9, true);
    case 'not-executable':
      throw new TwofoldError('command-not-executable', `exec: "${name}": permission denied`);
    default:
      throw new TwofoldError('command-not-found', `exec: "${name}": executable file not found in $PATH`);
  }
}
