// Owns the world in which an engine is asked: an image `box`, four containers in four states, a network `lan`; and the
// asking itself. Speaks Docker's API alone, so that dockerd and Twofold are asked alike.

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Request } from './requests.ts';

/** The version of dockerd 20.10. */
const api = '/v1.41';
const askTimeoutMs = 30_000;
/** A stream without an end is cut after this. */
const streamTimeoutMs = 500;
const applets = ['sh', 'sleep', 'true', 'ps', 'ls', 'cat', 'id'];

/** Answers that may go on for as long as a container does. */
const endless = /^\/containers\/\w+\/(attach|wait)\b/;

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

export interface World {
  readonly socketPath: string;
  /** Stands for `SUBNET` in requests: `10.1.2`. */
  readonly subnet: string;
}

/** Asks, and gives the whole answer, or what of a stream has come in half a second: statuses come first. */
export function ask(world: World, { method, path, body }: Omit<Request, 'title'>, raw?: Buffer): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const payload =
    raw ?? (body === undefined ? undefined : Buffer.from(JSON.stringify(body).replaceAll('SUBNET', world.subnet)));
  const type = raw === undefined ? 'application/json' : 'application/x-tar';
  const asked = httpRequest(
    {
      socketPath: world.socketPath,
      method,
      path: api + encodeURI(path).replaceAll('%25', '%'),
      agent: false,
      headers: payload === undefined ? {} : { 'Content-Type': type, 'Content-Length': payload.length },
      signal: AbortSignal.timeout(askTimeoutMs),
    },
    (answer) => {
      const parts: Buffer[] = [];
      const finish = () => {
        clearTimeout(cut);
        resolve({ status: answer.statusCode!, body: Buffer.concat(parts) });
        asked.destroy();
      };
      const cut = endless.test(path) ? setTimeout(finish, streamTimeoutMs) : undefined;
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', finish);
      answer.on('error', reject);
    },
  );
  asked.on('error', reject);
  asked.end(payload);
  return promise;
}

async function must(world: World, request: Omit<Request, 'title'>, raw?: Buffer): Promise<Record<string, unknown>> {
  const { status, body } = await ask(world, request, raw);
  if (status >= 400) throw new Error(`${request.method} ${request.path}: ${status} ${body.toString()}`);
  try {
    return JSON.parse(body.toString() || '{}') as Record<string, unknown>;
  } catch {
    return {}; // a stream of progress
  }
}

/** Makes the world; `isolation` of its containers where the engine has several. */
export async function makeWorld(world: World, isolation?: string): Promise<void> {
  await must(world, { method: 'POST', path: '/images/create?fromSrc=-&repo=box&tag=latest' }, imageArchive());
  await must(world, { method: 'POST', path: '/networks/create', body: { Name: 'lan' } });
  const create = (name: string, command: string[]) =>
    must(world, {
      method: 'POST',
      path: `/containers/create?name=${name}`,
      body: {
        Image: 'box',
        Cmd: command,
        Env: ['PATH=/bin'],
        HostConfig: isolation === undefined ? {} : { Isolation: isolation },
      },
    });
  for (const name of ['idle', 'up', 'still']) await create(name, ['sleep', '86400']);
  await create('ended', ['true']);
  for (const name of ['up', 'still', 'ended']) await must(world, { method: 'POST', path: `/containers/${name}/start` });
  await must(world, { method: 'POST', path: '/containers/still/pause' });
  await must(world, { method: 'POST', path: '/containers/ended/wait' });
}

/** Takes away what a request has made: what it created has an id that it told. */
export async function undo(world: World, { method, path }: Request, { status, body }: Answer): Promise<void> {
  if (method !== 'POST' || status !== 201) return;
  const found = /^\/(containers|networks)\/create/.exec(path);
  if (found === null) return;
  const { Id } = JSON.parse(body.toString()) as { Id: string };
  await must(world, { method: 'DELETE', path: `/${found[1]}/${Id}${found[1] === 'containers' ? '?force=1' : ''}` });
}

/** A root file system of busybox, as `docker import` takes it. */
function imageArchive(): Buffer {
  const root = mkdtempSync(join(tmpdir(), 'tfw-'));
  try {
    for (const directory of ['bin', 'etc', 'tmp', 'root']) mkdirSync(join(root, directory));
    copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
    for (const name of applets) symlinkSync('busybox', join(root, 'bin', name));
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n');
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\naudio:x:29:\n');
    return execFileSync('tar', ['-C', root, '-cf', '-', '.'], { maxBuffer: 64 << 20 });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
