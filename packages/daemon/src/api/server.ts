// Owns the HTTP server: limits, versions, dispatch, and the 'upgrade' event. Does not own what routes do (handlers/),
// the socket file (socket.ts) or which statuses errors have (render-error.ts).

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { Engine } from '../engine/engine.ts';
import type { Caller, RunVerb, VersionInfo } from './context.ts';
import { endSocket } from './hijack.ts';
import { Query } from './query.ts';
import { errorHeader, type RenderedError, renderError } from './render-error.ts';
import { findRoute, findUpgradeRoute } from './routes.ts';
import { listenOnSocket } from './socket.ts';
import { readUpgradeBody, refuseUpgrade } from './upgrade.ts';
import { maximumVersion, splitVersion } from './versions.ts';

export interface ApiOptions {
  readonly logger: Logger;
  readonly socketPath: string;
  /** Members may use the socket (0660); where the group doesn't exist, only root. */
  readonly group: string;
  readonly versionInfo: VersionInfo;
  readonly runVerb: RunVerb;
}

export interface Api {
  /** Throws `conflict` when another daemon listens there. */
  listen(): Promise<void>;
  /** Ends every request and connection. Idempotent. */
  close(): Promise<void>;
}

// Not imported, as in the SDK's transport.ts: an import loads fetch, HTTP/2 and TLS as well.
const http = process.getBuiltinModule('node:http');

const maxHeaderBytes = 64 << 10;
const maxHeaderFields = 200;
const headersLimitMs = 15_000;

/** The front door of `engine`. Nothing listens before `listen`. */
export function createApi(engine: Engine, options: ApiOptions): Api {
  const closing = new AbortController();
  let requests = 0;

  const callerOf = (
    request: IncomingMessage,
    route: { parameters: Record<string, string> },
    minor: number,
    search: string,
    signal: AbortSignal,
  ): Caller => ({
    engine,
    request,
    minor,
    signal,
    versionInfo: options.versionInfo,
    runVerb: options.runVerb,
    log: options.logger,
    parameters: route.parameters,
    query: new Query(search),
    lasting: (limitMs) => AbortSignal.any([closing.signal, AbortSignal.timeout(limitMs)]),
  });

  const fault = (error: unknown, request: IncomingMessage, number: number): RenderedError => {
    const rendered = renderError(error, number);
    if (rendered.ours && !closing.signal.aborted)
      options.logger.error(
        { err: error, request: number, method: request.method, url: request.url?.slice(0, 300) },
        'A request failed.',
      );
    return rendered;
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const number = ++requests;
    response.setHeader('Server', serverName(options.versionInfo));
    response.setHeader('Api-Version', maximumVersion);
    const hangUp = new AbortController();
    response.on('close', () => hangUp.abort());
    response.on('error', () => hangUp.abort());
    request.on('error', () => undefined); // a cut body is told by whoever reads it
    try {
      if (request.rawHeaders.length / 2 > maxHeaderFields)
        return refuse(request, response, 431, `The request has more than ${maxHeaderFields} header fields.`);
      const [path, search] = cutQuery(request.url);
      const { minor, path: rest } = splitVersion(path);
      const route = findRoute(request.method ?? '', rest);
      if (route === null) return refuse(request, response, 404, 'page not found');
      const signal = AbortSignal.any([hangUp.signal, closing.signal]);
      await route.handler({ ...callerOf(request, route, minor, search, signal), response });
    } catch (error) {
      if (hangUp.signal.aborted) return;
      const rendered = fault(error, request, number);
      if (response.headersSent) response.destroy(); // the client sees a cut stream, never a whole one that isn't
      else {
        response.setHeader(errorHeader, rendered.code);
        refuse(request, response, rendered.status, rendered.message);
      }
    }
  };

  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const number = ++requests;
    const hangUp = new AbortController();
    socket.on('close', () => hangUp.abort());
    socket.on('error', () => hangUp.abort());
    closing.signal.addEventListener('abort', () => socket.destroy(), { once: true, signal: hangUp.signal });
    let accepted: ((message: string) => void) | null = null;
    try {
      if (request.rawHeaders.length / 2 > maxHeaderFields)
        return refuseUpgrade(socket, 431, `The request has more than ${maxHeaderFields} header fields.`);
      const [path, search] = cutQuery(request.url);
      const { minor, path: rest } = splitVersion(path);
      const route = findUpgradeRoute(request.method ?? '', rest);
      if (route === null) return refuseUpgrade(socket, 404, 'page not found');
      const body = await readUpgradeBody(request, socket, head);
      const signal = AbortSignal.any([hangUp.signal, closing.signal]);
      await route.handler({
        ...callerOf(request, route, minor, search, signal),
        socket,
        body,
        hangUp,
        accepted: (tell = () => undefined) => {
          accepted = tell;
        },
      });
    } catch (error) {
      if (hangUp.signal.aborted) return;
      const rendered = fault(error, request, number);
      const tell = accepted as ((message: string) => void) | null;
      if (tell === null) return refuseUpgrade(socket, rendered.status, rendered.message, rendered.code);
      tell(rendered.message);
      endSocket(socket);
    }
  };

  const server = http.createServer({
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: headersLimitMs,
    requestTimeout: 0, // images are loaded for as long as they take; JSON bodies have a limit of their own
    connectionsCheckingInterval: 5_000,
    keepAliveTimeout: 120_000,
    // Only attach and exec start hand over their connection; every other request that offers an upgrade is answered as
    // it is.
    shouldUpgradeCallback: isHijack,
  });
  server.maxHeadersCount = 0; // counted above, and refused aloud instead of cut
  server.on('request', (request, response) => void answer(request, response));
  server.on('checkContinue', (request, response) => void answer(request, response));
  server.on('upgrade', (request, socket, head) => void upgrade(request, socket, head));
  server.on('clientError', refuseBroken);

  return {
    listen: () => listenOnSocket(server, options.socketPath, options.group, options.logger),
    close: async () => {
      closing.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

export function serverName(info: VersionInfo): string {
  return `Twofold/${info.version} (linux)`;
}

function cutQuery(url = '/'): [path: string, search: string] {
  const at = url.indexOf('?');
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)];
}

function isHijack(request: IncomingMessage): boolean {
  try {
    return findUpgradeRoute(request.method ?? '', splitVersion(cutQuery(request.url)[0]).path) !== null;
  } catch {
    return false; // a bad version or path is told by the ordinary way
  }
}

/** Docker's error body. What is left of the request's body is not read: the connection ends with the answer. */
function refuse(request: IncomingMessage, response: ServerResponse, status: number, message: string): void {
  if (status === 304) {
    response.writeHead(304).end();
    return;
  }
  const body = Buffer.from(`${JSON.stringify({ message })}\n`);
  const unread = !request.complete;
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': body.length,
    ...(unread ? { Connection: 'close' } : {}),
  });
  if (!unread) return void response.end(body);
  response.write(body);
  dropRest(request, response);
}

/**
 * A client that is still sending would get a reset instead of the answer if we closed at once: take and drop for a
 * short while.
 */
function dropRest(request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request; // a request that has been read to its end lets go of it
  const timer = setTimeout(() => (socket as Socket | null)?.destroy(), 3_000);
  timer.unref();
  const finish = () => {
    clearTimeout(timer);
    response.end();
  };
  request.once('end', finish).once('close', finish);
  request.resume();
}

const brokenStatus: Record<string, readonly [status: string, message: string]> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The request header is too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request header did not arrive in time.'],
  HPE_INVALID_EOF_STATE: ['400 Bad Request', 'The request body was cut short.'],
};

function refuseBroken(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, message] = brokenStatus[error.code ?? ''] ?? ['400 Bad Request', 'The request is not valid HTTP.'];
  const body = JSON.stringify({ message });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  socket.resume();
  setTimeout(() => socket.destroy(), 3_000).unref();
}
