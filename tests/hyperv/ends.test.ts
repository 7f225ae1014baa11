// How containers in VMs end: by themselves, for want of memory, with their VM; and hostile images that never begin.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { House, outputOf, processOf, specOf, within } from './house.ts';
import { until } from '../support/until.ts';
import { newId, type ExecId } from '@twofold/contract';

let house: House;
before(async () => {
  house = await House.open();
});
after(async () => {
  await house[Symbol.asyncDispose]();
  assert.deepEqual(house.leftovers(), []);
});

test('a container that takes more memory than it may is killed and says so', async () => {
  const running = await house.run(['tail', '/dev/zero'], { memoryBytes: 32 << 20 });
  await outputOf(running.streams);
  const status = await running.streams.exit;
  assert.equal(status.code, 137);
  assert.equal(status.signal, 9);
  assert.equal(status.oomKilled, true);
  await house.event('oom', running.ref.sandbox);
  await house.end(running);
});

test('a worker that is killed is told as a sandbox that is gone, with no exit status', async () => {
  const running = await house.run(['sleep', '1000']);
  const worker = (await house.driver.workers()).find(({ sandbox }) => sandbox === running.ref.sandbox)!;
  process.kill(worker.pid, 'SIGKILL');
  const event = await house.event('sandbox-gone', running.ref.sandbox);
  assert.match(event.kind === 'sandbox-gone' ? event.reason : '', /killed by signal 9/);
  await outputOf(running.streams).catch(() => undefined);
  await assert.rejects(running.streams.exit, { code: 'sandbox-gone' });
  assert.equal(existsSync(join(running.sandbox.directory, `exit.${running.ref.container}`)), false);
  assert.equal(
    house.events.some((told) => told.kind === 'exited' && told.sandbox === running.ref.sandbox),
    false,
  );
  await house.end(running);
});

test('an exit is kept for a daemon that comes later', async () => {
  const running = await house.run(['sh', '-c', 'exit 7']);
  await outputOf(running.streams);
  assert.equal((await running.streams.exit).code, 7);
  const { alive, containers } = await house.driver.reconnect(
    running.ref.sandbox,
    running.sandbox.directory,
    [running.ref.container],
    within(),
  );
  assert.equal(alive, true);
  const state = containers.get(running.ref.container);
  assert.equal(state?.at === 'exited' ? state.status.code : state?.at, 7);
  await house.end(running);
});

test('what a container wrote is there in its next VM, and can be read without it', async () => {
  const first = await house.run(['sh', '-c', 'echo kept > /kept']);
  await outputOf(first.streams);
  await house.end(first);
  await using run = await house.driver.filesAtRest(first.spec, { verb: 'changes' }, within());
  run.stdin.end();
  const parts: Buffer[] = [];
  for await (const part of run.stdout) parts.push(part);
  await run.done;
  assert.ok(Buffer.concat(parts).toString().split('\0').includes('A /kept'));
});

test('an image whose /proc or /dev is a symbolic link is refused', async () => {
  for (const name of ['proc', 'dev']) {
    const hostile = house.layer(`hostile${name}`, (root) => {
      mkdirSync(join(root, 'elsewhere'));
      symlinkSync('elsewhere', join(root, name));
    });
    // Above the base, so that the link hides the directory.
    await assert.rejects(house.run(['true'], { layers: [hostile, house.base()] }), {
      code: 'forbidden',
      message: new RegExp(`symbolic link on the way to /${name}`),
    });
  }
});

test("a container cannot open its VM's disks, whatever nodes it makes", async () => {
  const rules = [
    { allow: false, access: 'rwm' },
    { allow: true, type: 'b', access: 'm' },
    { allow: true, type: 'c', access: 'm' },
    { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
  ];
  const running = await house.run(
    [
      'sh',
      '-c',
      'for n in 0 16; do mknod /disk$n b 254 $n && head -c 1 /disk$n; done; echo done >/dev/null && echo well',
    ],
    { oci: (spec) => ({ ...spec, linux: { ...spec.linux, resources: { devices: rules } } }) },
  );
  const output = await outputOf(running.streams);
  assert.equal(output.match(/Operation not permitted/g)?.length, 2, output);
  assert.match(output, /well/);
  await house.end(running);
});

test("a terminal inside is the container's own, and resizes", async () => {
  const running = await house.run(['sleep', '1000']);
  const target = { ...running.ref, exec: newId<ExecId>() };
  const { streams } = await house.driver.exec(
    target,
    {
      process: {
        ...processOf([
          'sh',
          '-c',
          'tty; stty size; until [ "$(stty size)" = "50 132" ]; do sleep 0.1; done; echo resized',
        ]),
        terminal: true,
        consoleSize: { height: 33, width: 99 },
      },
      stdin: true,
    },
    { attached: true },
    within(),
  );
  let text = '';
  for await (const { data } of streams!.output) {
    text += data.toString();
    if (text.includes('33 99')) await house.driver.resize(target, { rows: 50, columns: 132 });
    if (text.includes('resized')) break;
  }
  assert.match(text, /\/dev\/pts\/\d+/);
  await house.end(running);
});

test('a container in a VM can be paused: its processes stand still', async () => {
  const running = await house.run(['sh', '-c', 'n=0; while true; do n=$((n+1)); echo $n; sleep 0.05; done']);
  const ticks = running.streams.output[Symbol.asyncIterator]();
  await ticks.next();
  await house.driver.pause(running.ref);
  const times = async () =>
    (await house.driver.processes(running.ref))
      .map(({ stat }) => stat.split(') ')[1]!.split(' ').slice(11, 13).join('+'))
      .join();
  const before = await times();
  await house.driver.processes(running.ref);
  assert.equal(await times(), before);
  await house.driver.resume(running.ref);
  await until('the processes run again', async () => (await times()) !== before);
  await house.end(running);
});

test('the log has what was written, also by who ended at once', async () => {
  const described = house.describe();
  const log = join(described.sandbox.directory, 'log');
  await house.driver.createSandbox(described.sandbox, within());
  await house.driver.createContainer(
    { ...described.spec, log: { path: log, maxBytes: 0, maxFiles: 1, minimumFreeBytes: 0 } },
    within(),
  );
  await house.driver.startContainer(
    described.ref,
    specOf(['sh', '-c', 'echo out; echo err >&2; exit 3']),
    { openStdin: false, stdinOnce: false },
    within(),
  );
  await house.event('exited', described.ref.sandbox);
  const lines = readFileSync(log, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' ').slice(1).join(' '))
    .sort();
  assert.deepEqual(lines, ['stderr F err', 'stdout F out']);
  await house.end(described);
});
