// Owns the joining of a client's raw connection with a process: framing, back-pressure both ways, half-close, detach
// keys, hang-up. Knows no route; upgrade.ts has the bytes before this.
//
//   joined ─client ends its input▶ half-closed ─output ends▶ draining ─client closes▶ gone
//   joined ─detach keys▶ draining        any ─client hangs up▶ gone

import { once } from 'node:events';
import type { Duplex, Writable } from 'node:stream';
import type { Attachment } from '../engine/engine.ts';
import { DetachScanner } from './detach-keys.ts';
import { frameHeader } from './stream-frames.ts';

/** How often a half-closed connection is asked whether anybody is still there. */
const probeMs = 2_000;
/** How long the client may take to close after everything was sent. */
const drainMs = 10_000;

export interface JoinOptions {
  readonly multiplexed: boolean;
  /** Null: the keys mean nothing (no terminal). */
  readonly detachKeys: Buffer | null;
  /**
   * The end of the client's input is the end of the process's. Not so for a terminal, nor where further clients may
   * give input.
   */
  readonly endsInput: boolean;
  /** The client wanted no output: it has done with the end of its input. */
  readonly inputOnly?: boolean;
  /** Aborted when the client is gone. */
  readonly hangUp: AbortController;
}

/**
 * Resolves when output has ended and the socket with it, or the client has detached or is gone. What a client had sent
 * before it went still reaches the process. The attachment stays the caller's, who lets go of it then.
 */
export async function joinStreams(
  socket: Duplex,
  attachment: Attachment,
  options: JoinOptions,
): Promise<'ended' | 'detached' | 'gone'> {
  const { hangUp } = options;
  const done = new AbortController();
  let detached = false;
  passInput(socket, attachment.stdin, options, {
    detach: () => {
      detached = true;
      done.abort();
    },
    end: () => {
      if (options.inputOnly === true) done.abort();
    },
  });
  using _probe = probeWhenHalfClosed(socket, hangUp.signal);
  const leave = AbortSignal.any([hangUp.signal, done.signal]);
  const left = Promise.withResolvers<void>();
  leave.addEventListener('abort', () => left.resolve(), { once: true });
  if (leave.aborted) left.resolve();
  const output = passOutput(socket, attachment, options.multiplexed, leave);
  output.catch(() => undefined); // after leaving, its failure is only that the socket is gone
  try {
    await Promise.race([output, left.promise]);
  } finally {
    endSocket(socket);
  }
  if (!detached && attachment.stdin !== null) await Promise.race([settled(attachment.stdin), output]);
  return hangUp.signal.aborted ? 'gone' : detached ? 'detached' : 'ended';
}

/** Once nobody reads any more, output is dropped: a process that is still taking its input must not be held up. */
async function passOutput(
  socket: Duplex,
  attachment: Attachment,
  multiplexed: boolean,
  leave: AbortSignal,
): Promise<void> {
  for await (const { stream, data } of attachment.output) {
    if (leave.aborted || sendPiece(socket, multiplexed ? stream : null, data)) continue;
    await once(socket, 'drain', { signal: leave }).catch(() => undefined);
  }
}

/** Resolves when what was written has been passed on, its end included, or can't be any more. */
function settled(stdin: Writable): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const event of ['finish', 'error', 'close']) stdin.once(event, () => resolve());
  if (stdin.destroyed || stdin.writableFinished || stdin.errored !== null) resolve();
  else if (!stdin.writableEnded && stdin.writableLength === 0) resolve();
  else if (!stdin.writableEnded) stdin.write(Buffer.alloc(0), () => resolve());
  return promise;
}

/** Writes one piece, framed unless `stream` is null; false when the client is slower. */
export function sendPiece(socket: Duplex, stream: 'stdout' | 'stderr' | null, data: Buffer): boolean {
  if (stream === null) return socket.write(data);
  socket.cork();
  socket.write(frameHeader(stream, data.length));
  const ready = socket.write(data);
  socket.uncork();
  return ready;
}

/**
 * What the client sends goes to the process, as fast as that takes it; where there is none it is dropped, so that the
 * client is not held up.
 */
function passInput(
  socket: Duplex,
  stdin: Writable | null,
  options: JoinOptions,
  told: { detach(): void; end(): void },
): void {
  let target = stdin;
  const scanner = options.detachKeys === null ? null : new DetachScanner(options.detachKeys);
  stdin?.on('error', () => {
    target = null;
    socket.resume();
  }); // the process has closed its input: its output goes on
  stdin?.on('drain', () => socket.resume());
  stdin?.on('close', () => {
    target = null;
    socket.resume();
  });
  socket.on('data', (chunk: Buffer) => {
    if (target === null) return;
    const found = scanner?.push(chunk) ?? { pass: chunk, detached: false };
    if (found.pass.length > 0 && !target.write(found.pass)) socket.pause();
    if (found.detached) {
      target = null;
      told.detach();
    }
  });
  socket.on('end', () => {
    if (options.endsInput) target?.end();
    told.end();
  });
  socket.resume();
}

/**
 * A client that has ended its input and one that has closed look the same to a reader. An empty write tells them apart:
 * it fails with EPIPE once the other end is closed (and puts no byte on the wire).
 */
function probeWhenHalfClosed(socket: Duplex, signal: AbortSignal): Disposable {
  let timer: NodeJS.Timeout | undefined;
  const begin = () => {
    timer ??= setInterval(() => {
      if (!socket.destroyed && !socket.writableEnded && socket.writableLength === 0) socket.write(Buffer.alloc(0));
    }, probeMs);
    timer.unref();
  };
  const stop = () => clearInterval(timer);
  socket.once('end', begin);
  signal.addEventListener('abort', stop, { once: true });
  return { [Symbol.dispose]: stop };
}

/**
 * Ends our side and goes on dropping input until the client closes too; closing with unread input would reach it as a
 * reset. The time for that counts from when the kernel has taken all of the output: a slow reader (a pager, a stopped
 * terminal) still gets what is left.
 */
export function endSocket(socket: Duplex): void {
  if (socket.destroyed) return;
  socket.end();
  socket.resume();
  const close = () => {
    if (socket.readableEnded) return void socket.destroy();
    const timer = setTimeout(() => socket.destroy(), drainMs);
    timer.unref();
    socket.once('end', () => socket.destroy());
    socket.once('close', () => clearTimeout(timer));
  };
  if (socket.writableFinished) close();
  else socket.once('finish', close);
}
