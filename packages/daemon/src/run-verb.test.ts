import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { verbRunner } from './run-verb.ts';

test('a verb whose client has gone asks no more, and what it asks is called off', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tfv-'));
  const socket = join(directory, 's');
  const asked: string[] = [];
  const first = Promise.withResolvers<void>();
  const calledOff = Promise.withResolvers<void>();
  const server = createServer((request) => {
    // never answers
    asked.push(request.url ?? '');
    request.socket.on('close', () => calledOff.resolve());
    first.resolve();
  });
  await new Promise<void>((resolve) => void server.listen(socket, resolve));
  try {
    const client = new AbortController();
    const silent = { write: async () => undefined, colours: false, columns: undefined };
    const ended = verbRunner(socket)(['stop', 'one', 'two'], { stdout: silent, stderr: silent, signal: client.signal });
    await first.promise;
    client.abort();
    assert.equal(await ended, 1);
    await calledOff.promise;
    assert.equal(asked.length, 1, asked.join(' '));
  } finally {
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
});
