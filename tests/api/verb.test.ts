// The route that runs a verb of the CLI's for a client: its stream, its bounds, and its end when the client goes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { demultiplex } from '@twofold/sdk/session.ts';
import { fakeEngine } from './fake-engine.ts';
import { openDoor, openFront } from './door.ts';

const post = (body: unknown): { body: string } => ({ body: JSON.stringify(body) });

test("a verb's output comes in frames, the exit code in the last one, and the connection ends", async () => {
  await using door = await openDoor();
  using connection = await door.dial();
  const body = JSON.stringify({ Words: ['rm', 'nobody'] });
  connection.socket.write(
    `POST /twofold/verb HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const answer = await connection.ended();
  const at = answer.indexOf('\r\n\r\n') + 4;
  assert.match(
    answer.subarray(0, at).toString(),
    /^HTTP\/1\.1 200 OK\r\n(.*\r\n)*Content-Type: application\/vnd\.twofold\.verb-stream\r\n/,
  );
  const frames = answer.subarray(at);
  const text = 'twofold: No such container: nobody\n';
  assert.deepEqual([...frames.subarray(0, 8)], [2, 0, 0, 0, 0, 0, 0, text.length]);
  assert.equal(frames.subarray(8, 8 + text.length).toString(), text);
  assert.deepEqual([...frames.subarray(8 + text.length)], [4, 0, 0, 0, 0, 0, 0, 1, 1]);
});

test('colours are for a terminal that wants them, and help is as wide as the terminal', async () => {
  await using door = await openDoor();
  const coloured = await door.ask(
    'POST',
    '/twofold/verb',
    post({ Words: ['rm', 'nobody'], Stderr: { Colours: true } }),
  );
  assert.ok(coloured.body.includes('\x1b[31mtwofold:\x1b[0m No such container'), coloured.body);
  const lines = async (columns: number): Promise<number> =>
    (
      await door.ask(
        'POST',
        '/twofold/verb',
        post({ Words: ['switches', 'create', '--help'], Stdout: { Columns: columns } }),
      )
    ).body.split('\n').length;
  assert.ok((await lines(80)) > (await lines(200)));
});

test('words that are no verb which runs here, too many or too long, and any other body, are 400', async () => {
  await using door = await openDoor();
  const refused: [body: unknown, why: RegExp][] = [
    [{ Words: ['run', 'nanoserver'] }, /The verb \\"run\\" does not run/],
    [{ Words: ['__proto__'] }, /The verb \\"__proto__\\" does not run/],
    [{ Words: [] }, /The verb \\"\\" does not run/],
    [{}, /Words/],
    [{ Words: 'ps' }, /Words/],
    [{ Words: ['ps', 1] }, /Words/],
    [{ Words: ['ps', 'x'.repeat(65_537)] }, /Words/],
    [{ Words: Array.from({ length: 10_001 }, () => 'ps') }, /Words/],
    [{ Words: ['ps'], Stdin: {} }, /Stdin/],
    [{ Words: ['ps'], Stdout: { Columns: -1 } }, /Stdout\.Columns/],
  ];
  for (const [body, why] of refused) {
    const answer = await door.ask('POST', '/twofold/verb', post(body));
    assert.deepEqual([answer.status, why.test(answer.body)], [400, true], answer.body);
  }
});

test("filters of any name are the daemon's to judge", async () => {
  await using door = await openDoor();
  for (const name of ['__proto__', 'constructor']) {
    const { body } = await door.ask('POST', '/twofold/verb', post({ Words: ['ps', '--filter', `${name}=x`] }));
    assert.doesNotMatch(body, /TypeError/);
  }
});

test('a verb ends with its client', async () => {
  const begun = Promise.withResolvers<AbortSignal>();
  await using door = await openFront(fakeEngine().engine, (_words, { signal }) => {
    begun.resolve(signal);
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve(1), { once: true }));
  });
  using connection = await door.dial();
  const body = JSON.stringify({ Words: ['ps'] });
  connection.socket.write(
    `POST /twofold/verb HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const signal = await begun.promise;
  assert.equal(signal.aborted, false);
  connection.socket.destroy();
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
});

test('twenty clients at once each get what is theirs', async () => {
  await using door = await openDoor();
  await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const { body } = await door.ask('POST', '/twofold/verb', post({ Words: ['rm', `nobody-${index}`] }));
      const said: string[] = [];
      async function* whole(): AsyncGenerator<Buffer> {
        yield Buffer.from(body);
      }
      for await (const { stream, data } of demultiplex(whole())) said.push(`${stream} ${data.toString()}`);
      assert.equal(said[0], `stderr twofold: No such container: nobody-${index}\n`);
    }),
  );
});

test('a verb that says much waits for a client that reads slowly', async () => {
  let taken = false;
  const said = Promise.withResolvers<void>();
  await using door = await openFront(fakeEngine().engine, async (_words, { stdout }) => {
    const saying = stdout.write('x'.repeat(4 << 20)).then(() => (taken = true));
    said.resolve();
    await saying;
    return 0;
  });
  using connection = await door.dial();
  connection.socket.pause();
  const body = JSON.stringify({ Words: ['ps'] });
  connection.socket.write(
    `POST /twofold/verb HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await said.promise;
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(taken, false);
  connection.socket.resume();
  assert.ok((await connection.ended()).length > 4 << 20);
  assert.equal(taken, true);
});
