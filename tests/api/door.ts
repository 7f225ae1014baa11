// Owns a front door for one test file: the fake engine behind it, a socket of its own, docker and raw bytes in front of
// it.

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Engine } from '../../packages/daemon/src/engine/engine.ts';
import type { RunVerb } from '../../packages/daemon/src/api/context.ts';
import { createApi } from '../../packages/daemon/src/api/server.ts';
import { verbRunner } from '../../packages/daemon/src/run-verb.ts';
import { type Fake, fakeEngine } from './fake-engine.ts';

export interface Front extends AsyncDisposable {
  readonly socketPath: string;
  docker(
    words: readonly string[],
    options?: { input?: string | Buffer },
  ): Promise<{ code: number; stdout: string; stderr: string }>;
  /** A plain request; the answer's body as text. */
  ask(
    method: string,
    path: string,
    options?: { body?: string | Buffer; headers?: http.OutgoingHttpHeaders },
  ): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: string }>;
  /** A raw connection. */
  dial(): Promise<RawConnection>;
  /** Another daemon's door on a path. */
  second(path: string): Promise<AsyncDisposable & { path: string }>;
}

export interface Door extends Front {
  readonly fake: Fake;
}

export interface RawConnection extends Disposable {
  readonly socket: Socket;
  readonly received: () => Buffer;
  /** Waits until what came fits, or the limit has passed. */
  until(fits: (received: Buffer) => boolean): Promise<Buffer>;
  ended(): Promise<Buffer>;
}

export async function openDoor(): Promise<Door> {
  const fake = fakeEngine();
  return { ...(await openFront(fake.engine)), fake };
}

/** A front door for any engine. Verbs run as in the daemon unless `runVerb` is given. */
export async function openFront(engine: Engine, runVerb?: RunVerb): Promise<Front> {
  const directory = await mkdtemp(join(tmpdir(), 'twofold-api-'));
  const socketPath = join(directory, 'twofold.sock');
  const api = createApi(engine, {
    logger: pino({ level: 'silent' }),
    socketPath,
    group: 'twofold',
    versionInfo: { version: '0.1.0' },
    runVerb: runVerb ?? verbRunner(socketPath),
  });
  await api.listen();
  const agent = new http.Agent({ keepAlive: true });
  return {
    socketPath,
    docker: (words, options = {}) => runDocker(socketPath, directory, words, options.input),
    ask: (method, path, options = {}) =>
      new Promise((resolve, reject) => {
        const request = http.request(
          {
            socketPath,
            method,
            path,
            agent,
            headers: {
              ...(options.body === undefined ? {} : { 'Content-Type': 'application/json' }),
              ...options.headers,
            },
          },
          (response) => {
            const parts: Buffer[] = [];
            response.on('data', (part: Buffer) => parts.push(part));
            response.on('end', () =>
              resolve({
                status: response.statusCode ?? 0,
                headers: response.headers,
                body: Buffer.concat(parts).toString(),
              }),
            );
            response.on('error', reject);
          },
        );
        request.on('error', reject);
        request.end(options.body);
      }),
    dial: () => dial(socketPath),
    async second(path) {
      const other = createApi(engine, {
        logger: pino({ level: 'silent' }),
        socketPath: path,
        group: 'twofold',
        versionInfo: { version: '0.1.0' },
        runVerb: verbRunner(path),
      });
      await other.listen();
      return { path, [Symbol.asyncDispose]: () => other.close() };
    },
    async [Symbol.asyncDispose]() {
      agent.destroy();
      await api.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function runDocker(
  socketPath: string,
  home: string,
  words: readonly string[],
  input?: string | Buffer,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn('docker', words, {
    env: { PATH: process.env['PATH'], HOME: home, DOCKER_HOST: `unix://${socketPath}` },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: 30_000,
    killSignal: 'SIGKILL',
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => out.push(part));
  child.stderr.on('data', (part: Buffer) => err.push(part));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ code: code ?? -1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
    );
  });
}

function dial(socketPath: string): Promise<RawConnection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: socketPath, allowHalfOpen: true }, () => resolve(connection));
    let received = Buffer.alloc(0);
    socket.on('data', (part) => {
      received = Buffer.concat([received, part]);
    });
    socket.on('error', reject);
    const limited = <T>(promise: Promise<T>): Promise<T> =>
      Promise.race([
        promise,
        new Promise<T>((_, fail) =>
          setTimeout(
            () => fail(new Error(`nothing that fits came: ${received.toString().slice(0, 2000)}`)),
            10_000,
          ).unref(),
        ),
      ]);
    const connection: RawConnection = {
      socket,
      received: () => received,
      until: (fits) =>
        limited(
          new Promise((done) => {
            const look = () => {
              if (fits(received)) {
                socket.off('data', look);
                done(received);
              }
            };
            socket.on('data', look);
            look();
          }),
        ),
      ended: () =>
        limited(
          new Promise((done) => {
            if (socket.readableEnded || socket.destroyed) done(received);
            else {
              socket.on('end', () => done(received));
              socket.on('close', () => done(received));
            }
          }),
        ),
      [Symbol.dispose]: () => void socket.destroy(),
    };
  });
}
