// Owns how answers are written: JSON, nothing, and streams with back-pressure. Statuses of errors are
// render-error.ts's.

import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Context } from './context.ts';

export function sendJson(context: Context, value: unknown, status = 200): void {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  context.response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length });
  context.response.end(body);
}

export function sendEmpty(context: Context, status = 204): void {
  context.response.writeHead(status, status === 204 || status === 304 ? {} : { 'Content-Length': 0 });
  context.response.end();
}

/** The headers go out at once: docker waits for them before it does its next step. */
export function beginStream(context: Context, contentType: string): void {
  context.response.writeHead(200, { 'Content-Type': contentType });
  context.response.flushHeaders();
}

/** Writes one piece and waits while the client is slower. */
export async function writePiece(response: ServerResponse, piece: Buffer | string, signal: AbortSignal): Promise<void> {
  if (!response.write(piece)) await once(response, 'drain', { signal });
}

/**
 * A tar or other byte stream. The first piece is awaited before the status is sent, so that an early failure still has
 * its own.
 */
export async function sendBytes(context: Context, chunks: AsyncIterable<Buffer>, contentType: string): Promise<void> {
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    let next = await iterator.next();
    context.response.writeHead(200, { 'Content-Type': contentType });
    while (next.done !== true) {
      await writePiece(context.response, next.value, context.signal);
      next = await iterator.next();
    }
    context.response.end();
  } finally {
    await iterator.return?.();
  }
}
