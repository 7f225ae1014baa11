// Owns the talking of HTTP over the daemon's unix socket: requests, streams and upgraded connections. Knows no path.

import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TwofoldApiError } from './error.ts';

// `import http` would read every export of the module, and its WebSocket costs 30 ms: the whole of fetch, HTTP/2 and
// TLS.
const http = process.getBuiltinModule('node:http');

export type QueryValue = string | number | boolean | readonly string[] | undefined;

export interface RequestOptions {
  readonly query?: Readonly<Record<string, QueryValue>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is: a tar. */
  readonly stream?: Readable | AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal;
}

const apiVersion = 'v1.47';

/** One daemon's socket. Connections are kept for further requests until it is disposed. */
export class Transport implements Disposable {
  readonly socketPath: string;
  readonly #agent = new http.Agent({ keepAlive: true, maxFreeSockets: 4 });
  readonly #signal: AbortSignal | undefined;

  /** `signal` calls off every request, those to come as well. */
  constructor(socketPath: string, signal?: AbortSignal) {
    this.socketPath = socketPath;
    this.#signal = signal;
  }

  /**
   * The whole answer as JSON; undefined when it has no body. 304 is an answer like 204: the state is what was asked
   * for.
   */
  async json<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const text = (await readAll(await this.open(method, path, options))).toString('utf8').trim();
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** The answer as soon as its head has come. Its body has to be read or destroyed. */
  async open(method: string, path: string, options: RequestOptions = {}): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    let answered = false;
    const target = this.#target(method, path, options);
    const request = http.request({ ...target, agent: this.#agent }, (response) => {
      answered = true;
      resolve(response);
    });
    request.on('error', (cause) => reject(this.#unreachable(cause, target.signal)));
    if (options.stream === undefined) request.end(bodyOf(options));
    // A daemon that refuses early answers while we still send: its answer counts, not the broken pipe.
    else
      pipeline(Readable.from(options.stream), request).catch((cause: unknown) => {
        if (!answered) setTimeout(() => reject(this.#unreachable(cause, target.signal)), 1_000).unref();
      });
    return checked(await promise);
  }

  /** A connection taken over. `contentType` tells whether the stream is framed. */
  async upgrade(path: string, options: RequestOptions = {}): Promise<{ socket: Socket; contentType: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ socket: Socket; contentType: string }>();
    const target = this.#target('POST', path, options);
    const request = http.request({
      ...target,
      agent: false,
      headers: { ...target.headers, Connection: 'Upgrade', Upgrade: 'tcp' },
    });
    request.on('upgrade', (response: IncomingMessage, socket: Socket, head: Buffer) => {
      if (head.length > 0) socket.unshift(head);
      resolve({ socket, contentType: response.headers['content-type'] ?? '' });
    });
    request.on('response', (response) => {
      checked(response).then(() => {
        response.destroy();
        reject(new TwofoldApiError(response.statusCode ?? 0, 'The daemon did not hand over the connection.'));
      }, reject);
    });
    request.on('error', (cause) => reject(this.#unreachable(cause, target.signal)));
    request.end(bodyOf(options));
    return promise;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #target(method: string, path: string, options: RequestOptions) {
    const signals = [this.#signal, options.signal].filter((signal) => signal !== undefined);
    return {
      socketPath: this.socketPath,
      method,
      path: `/${apiVersion}${path}${queryOf(options.query)}`,
      headers: {
        Host: 'twofold',
        ...(options.json !== undefined ? { 'Content-Type': 'application/json' } : {}),
        ...(options.stream !== undefined ? { 'Content-Type': 'application/x-tar' } : {}),
      } as OutgoingHttpHeaders,
      servername: '', // of TLS; not given, Node finds out whether Host is an address: 4 ms for the first time
      signal: signals.length > 1 ? AbortSignal.any(signals) : signals[0],
    };
  }

  #unreachable(cause: unknown, signal: AbortSignal | undefined): Error {
    if (signal?.aborted === true) return new TwofoldApiError(0, 'The request was cancelled.', { cause });
    const code = (cause as NodeJS.ErrnoException).code;
    const why =
      code === 'ENOENT' || code === 'ECONNREFUSED'
        ? 'no daemon listens there'
        : code === 'EACCES'
          ? 'you have no permission to use it (root and members of its group have)'
          : 'the connection broke';
    return new TwofoldApiError(0, `Cannot talk to the Twofold daemon at ${this.socketPath}: ${why}.`, { cause });
  }
}

/** A path's segment. */
export function segment(text: string): string {
  return encodeURIComponent(text);
}

function queryOf(query: RequestOptions['query'] = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    if (typeof value === 'object') for (const one of value) parameters.append(name, one);
    else parameters.append(name, String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

function bodyOf({ json }: RequestOptions): string | undefined {
  return json === undefined ? undefined : JSON.stringify(json);
}

async function checked(response: IncomingMessage): Promise<IncomingMessage> {
  const status = response.statusCode ?? 0;
  if (status < 400) return response;
  const text = (await readAll(response)).toString('utf8').trim();
  let message = text;
  try {
    message = (JSON.parse(text) as { message?: string }).message ?? text;
  } catch {
    // Not the daemon's own form: its text is what there is to tell.
  }
  throw new TwofoldApiError(status, message === '' ? `The daemon answered with status ${status}.` : message);
}

async function readAll(response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** A stream of JSON values, one a line. */
export async function* jsonLines<T>(response: IncomingMessage): AsyncGenerator<T> {
  let rest = '';
  response.setEncoding('utf8');
  for await (const part of response) {
    const lines = (rest + (part as string)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as T;
  }
  if (rest.trim() !== '') yield JSON.parse(rest) as T;
}
