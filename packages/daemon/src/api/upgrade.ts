// Owns the plain text of an upgraded request: its body, an error answer, and the 101. From here on there is no HTTP
// parser on the socket, so bytes for a process can never be taken for a request. Does not join streams: hijack.ts does.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ErrorCode, TwofoldError } from '@twofold/contract';
import { checkLength } from './body.ts';
import { errorHeader } from './render-error.ts';

const { STATUS_CODES } = process.getBuiltinModule('node:http'); // not imported: see server.ts

const bodyLimitMs = 30_000;

/**
 * Exactly Content-Length bytes; what follows them is put back on the socket, for it is the process's input. Node 24
 * leaves the body in `head` and the socket, Node 26 gives it through the request.
 */
export async function readUpgradeBody(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<Buffer> {
  if (request.headers['transfer-encoding'] !== undefined)
    throw new TwofoldError('invalid-argument', 'A request for an upgrade needs a Content-Length.');
  const length = checkLength(request);
  if (Number(process.versions.node.split('.')[0]) >= 26) {
    if (head.length > 0) socket.unshift(head);
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    if (body.length !== length) throw cut();
    return body;
  }
  if (head.length >= length) {
    if (head.length > length) socket.unshift(head.subarray(length));
    return head.subarray(0, length);
  }
  return readExactly(socket, head, length);
}

function readExactly(socket: Duplex, head: Buffer, length: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const parts = [head];
  let size = head.length;
  const done = (act: () => void) => {
    clearTimeout(timer);
    socket.off('data', take).off('end', fail).off('close', fail);
    socket.pause();
    act();
  };
  const fail = () => done(() => reject(cut()));
  const take = (chunk: Buffer) => {
    parts.push(chunk);
    size += chunk.length;
    if (size < length) return;
    done(() => {
      const whole = Buffer.concat(parts);
      if (whole.length > length) socket.unshift(whole.subarray(length));
      resolve(whole.subarray(0, length));
    });
  };
  const timer = setTimeout(fail, bodyLimitMs);
  socket.on('data', take).on('end', fail).on('close', fail);
  return promise;
}

function cut(): TwofoldError {
  return new TwofoldError('invalid-argument', 'The request body was cut short.');
}

/** An ordinary answer in place of the upgrade; the connection ends with it. */
export function refuseUpgrade(socket: Duplex, status: number, message: string, code?: ErrorCode): void {
  const body = status === 304 ? '' : `${JSON.stringify({ message })}\n`;
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${code === undefined ? '' : `${errorHeader}: ${code}\r\n`}Connection: close\r\n\r\n${body}`,
  );
  socket.resume(); // unread input would turn the client's end of file into a reset
}

/**
 * The 101. From here on the connection carries `contentType`. Docker's client in Python (and what is made with it)
 * reads the head through a buffer and then drops that buffer, with whatever output has come into it: for it the head
 * fills the buffer to the last byte, so that nothing else can.
 */
export function acceptUpgrade(socket: Duplex, request: IncomingMessage, contentType: string): void {
  const head = `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${contentType}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n`;
  const padding = dropsItsBuffer.test(request.headers['user-agent'] ?? '')
    ? `Padding: ${'x'.repeat(pythonBufferBytes - head.length - 'Padding: \r\n\r\n'.length)}\r\n`
    : '';
  socket.write(`${head}${padding}\r\n`);
}

const dropsItsBuffer = /python|ansible|^docker-compose\/1\./i;
/** io.DEFAULT_BUFFER_SIZE. */
const pythonBufferBytes = 8192;
