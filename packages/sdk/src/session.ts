// Owns a client's hold on a process's streams: input, output with its two streams told apart, and letting go.

import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';

export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

/**
 * Write to `stdin` and end it; iterate `output`, which ends with the process. Both sides have back-pressure. Disposing
 * lets go; the process runs on.
 */
export class Session implements AsyncDisposable {
  readonly stdin: Writable;
  readonly output: AsyncIterable<OutputChunk>;
  /** A terminal has one stream of output, and its bytes are its own. */
  readonly tty: boolean;
  readonly #socket: Socket;

  constructor(socket: Socket, contentType: string) {
    this.#socket = socket;
    this.stdin = socket;
    this.tty = contentType.endsWith('raw-stream');
    this.output = this.tty ? asStdout(socket) : demultiplex(socket);
    socket.on('error', () => undefined); // told by the iteration of output, and by writes
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await Promise.resolve();
  }
}

async function* asStdout(source: AsyncIterable<Buffer>): AsyncGenerator<OutputChunk> {
  for await (const data of source) yield { stream: 'stdout', data };
}

const names = ['stdout', 'stdout', 'stderr'] as const;

/**
 * Docker's multiplexed stream: eight bytes (stream, three zeros, length), then that many bytes. Pieces come as they
 * arrive, never gathered.
 */
export async function* demultiplex(source: AsyncIterable<Buffer>): AsyncGenerator<OutputChunk> {
  let held: Buffer = Buffer.alloc(0);
  let left = 0;
  let stream: 'stdout' | 'stderr' = 'stdout';
  for await (const part of source) {
    let data = held.length > 0 ? Buffer.concat([held, part]) : part;
    while (data.length > 0) {
      if (left === 0) {
        if (data.length < 8) break;
        stream = names[data[0]!] ?? 'stdout';
        left = data.readUInt32BE(4);
        data = data.subarray(8);
        continue;
      }
      const piece = data.subarray(0, left);
      left -= piece.length;
      data = data.subarray(piece.length);
      yield { stream, data: piece };
    }
    held = Buffer.from(data);
  }
}

/** The pieces of an ordinary streaming answer. */
export function outputOf(source: AsyncIterable<Buffer>, contentType: string): AsyncIterable<OutputChunk> {
  return contentType.endsWith('raw-stream') ? asStdout(source) : demultiplex(source);
}
