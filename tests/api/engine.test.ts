// The front door with the real engine behind it, over the simulated driver, and the stock docker CLI in front.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openHouse } from '../../packages/daemon/src/engine/simulated-house.ts';
import { type Front, openFront } from './door.ts';

async function open(): Promise<Front & { docker: Front['docker'] }> {
  const house = await openHouse();
  const front = await openFront(house.engine);
  return {
    ...front,
    async [Symbol.asyncDispose]() {
      await front[Symbol.asyncDispose]();
      await house[Symbol.asyncDispose]();
    },
  };
}

for (const isolation of ['process', 'hyperv']) {
  test(`docker run, ${isolation}: output, input, exit codes, and nothing left by --rm`, async () => {
    await using front = await open();
    const run = (words: string[], input?: string) =>
      front.docker(
        ['run', '--rm', '-i', `--isolation=${isolation}`, 'test', ...words],
        input === undefined ? {} : { input },
      );
    assert.deepEqual(await run(['echo', 'hello']), { code: 0, stdout: 'hello\n', stderr: '' });
    assert.deepEqual(await run(['echo-error', 'oh']), { code: 0, stdout: '', stderr: 'oh\n' });
    assert.equal((await run(['exit', '42'])).code, 42);
    assert.equal((await run(['cat'], 'in and out')).stdout, 'in and out');
    assert.equal((await run(['flood', '3000000'])).stdout.length, 3_000_000);
    assert.equal((await run(['nope'])).code, 127);
    assert.equal((await run(['not-executable'])).code, 126);
    assert.equal((await front.docker(['ps', '-aq'])).stdout, '');
  });
}

test("the states that docker shows are the engine's", async () => {
  await using front = await open();
  assert.equal((await front.docker(['run', '-d', '--name', 'one', 'test', 'sleep'])).code, 0);
  const state = async () =>
    (
      await front.docker(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}', 'one'])
    ).stdout.trim();
  assert.equal(await state(), 'running 0 false');
  assert.match(
    (await front.docker(['create', '--name', 'one', 'test', 'true'])).stderr,
    /Conflict. The container name "\/one" is already in use by container "?[0-9a-f]{64}/,
  );
  assert.equal((await front.docker(['pause', 'one'])).code, 0);
  assert.match((await front.docker(['ps', '--format', '{{.Status}}'])).stdout, /\(Paused\)/);
  assert.match((await front.docker(['exec', 'one', 'true'])).stderr, /paused/);
  assert.equal((await front.docker(['unpause', 'one'])).code, 0);
  assert.match((await front.docker(['rm', 'one'])).stderr, /container is running/);
  assert.equal((await front.docker(['stop', 'one'])).code, 0);
  assert.equal(await state(), 'exited 143 false');
  assert.equal((await front.docker(['stop', 'one'])).code, 0);
  assert.equal((await front.docker(['start', 'one'])).code, 0);
  assert.equal((await front.docker(['restart', '-t', '1', 'one'])).code, 0);
  assert.equal((await front.docker(['kill', 'one'])).code, 0);
  assert.equal((await front.docker(['wait', 'one'])).stdout, '137\n');
  assert.match((await front.docker(['exec', 'one', 'true'])).stderr, /is not running/);
  assert.equal((await front.docker(['rm', 'one'])).code, 0);
  assert.equal((await front.docker(['run', '--name', 'two', 'test', 'out-of-memory'])).code, 137);
  assert.equal((await front.docker(['inspect', '-f', '{{.State.OOMKilled}}', 'two'])).stdout, 'true\n');
  assert.equal((await front.docker(['run', '--name', 'three', 'test', 'nope'])).code, 127);
  assert.equal(
    (await front.docker(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'three'])).stdout,
    'created 127\n',
  );
});

test('exec, attach and events go through', async () => {
  await using front = await open();
  await front.docker(['run', '-d', '--name', 'one', 'test', 'sleep']);
  assert.deepEqual(await front.docker(['exec', 'one', 'echo', 'inside']), { code: 0, stdout: 'inside\n', stderr: '' });
  assert.equal(
    (await front.docker(['exec', '-i', 'one', 'cat'], { input: 'x'.repeat(300_000) })).stdout.length,
    300_000,
  );
  assert.equal((await front.docker(['exec', 'one', 'exit', '5'])).code, 5);
  assert.equal((await front.docker(['exec', 'one', 'nope'])).code, 127);
  assert.equal((await front.docker(['exec', '-d', 'one', 'true'])).code, 0);
  const attached = front.docker(['attach', '--no-stdin', 'one']);
  for (;;) {
    if (/attach/.test((await front.docker(['events', '--since', '1', '--until', '0s'])).stdout)) break;
  }
  await front.docker(['stop', 'one']);
  assert.equal((await attached).code, 143);
  const told = (
    await front.docker([
      'events',
      '--since',
      '1',
      '--until',
      '0s',
      '--filter',
      'container=one',
      '--format',
      '{{.Action}}',
    ])
  ).stdout;
  assert.match(told, /^create\n[\s\S]*start\n[\s\S]*exec_create: echo inside\n[\s\S]*die\n/);
});

test("bad requests are told by the engine in Docker's words", async () => {
  await using front = await open();
  assert.match((await front.docker(['run', 'nowhere', 'true'])).stderr, /cannot pull images yet/);
  assert.match((await front.docker(['create', '--isolation', 'vm', 'test', 'true'])).stderr, /isolation/i);
  assert.match((await front.docker(['container', 'inspect', 'nobody'])).stderr, /No such container: nobody/);
  assert.match((await front.docker(['kill', 'nobody'])).stderr, /No such container: nobody/);
  assert.match((await front.docker(['kill', '-s', 'NONSENSE', 'nobody'])).stderr, /Invalid signal: NONSENSE/);
});
