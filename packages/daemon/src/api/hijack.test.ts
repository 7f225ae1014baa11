import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { endSocket } from './hijack.ts';

/** Both ends of a unix connection, as the front door and a client have it. */
async function openPair(): Promise<{ ours: Socket; client: Socket } & AsyncDisposable> {
  const directory = mkdtempSync(join(tmpdir(), 'twofold-hijack-'));
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(join(directory, 's'));
  await once(server, 'listening');
  const client = connect({ path: join(directory, 's'), allowHalfOpen: true });
  const [ours] = (await once(server, 'connection')) as [Socket];
  return {
    ours,
    client,
    async [Symbol.asyncDispose]() {
      ours.destroy();
      client.destroy();
      server.close();
      rmSync(directory, { recursive: true });
    },
  };
}

test('a client that stops reading for long gets all of the output, the end included', async (t) => {
  await using pair = await openPair();
  t.mock.timers.enable({ apis: ['setTimeout'] });
  pair.client.pause();
  const output = Buffer.alloc(4 << 20, 'x');
  pair.ours.write(output);
  endSocket(pair.ours);
  t.mock.timers.tick(3_600_000);
  let received = 0;
  pair.client.on('data', (chunk: Buffer) => (received += chunk.length)).resume();
  await once(pair.client, 'end');
  assert.equal(received, output.length);
});

test('a client that has everything and does not close is let go after a while', async (t) => {
  await using pair = await openPair();
  t.mock.timers.enable({ apis: ['setTimeout'] });
  pair.client.resume();
  pair.ours.write('output');
  endSocket(pair.ours);
  await once(pair.client, 'end');
  assert.equal(pair.ours.destroyed, false);
  t.mock.timers.tick(3_600_000);
  assert.equal(pair.ours.destroyed, true);
});
