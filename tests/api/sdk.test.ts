import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { isNotFound, type OutputChunk, Twofold, TwofoldApiError } from '@twofold/sdk';
import { openDoor } from './door.ts';

async function gather(output: AsyncIterable<OutputChunk>): Promise<{ stdout: string; stderr: string }> {
  const all = { stdout: '', stderr: '' };
  for await (const { stream, data } of output) all[stream] += data.toString();
  return all;
}

test('a run gives its output, its exit code, and its input back', async () => {
  await using door = await openDoor();
  await using twofold = new Twofold({ socketPath: door.socketPath });
  {
    await using run = await twofold.containers.run({ Image: 'nanoserver', Cmd: ['both'] });
    assert.deepEqual(await gather(run.session.output), { stdout: 'out\n', stderr: 'err\n' });
    assert.deepEqual(await run.exit, { statusCode: 0 });
  }
  await using run = await twofold.containers.run({
    Image: 'nanoserver',
    Cmd: ['cat'],
    OpenStdin: true,
    StdinOnce: true,
    HostConfig: { AutoRemove: true },
  });
  const input = Buffer.alloc(5_000_000, 'twofold ');
  run.session.stdin.end(input);
  assert.equal((await gather(run.session.output)).stdout, input.toString());
  await run.exit;
  await assert.rejects(twofold.containers.inspect(run.id), isNotFound);
});

test('an exec tells its exit code, a missing command is 127', async () => {
  await using door = await openDoor();
  await using twofold = new Twofold({ socketPath: door.socketPath });
  await using run = await twofold.containers.run({ Image: 'nanoserver', Cmd: ['sleep'] });
  {
    await using exec = await twofold.containers.exec(run.id, { command: ['count'], stdin: true });
    exec.session.stdin.end(Buffer.alloc(100_000));
    assert.equal((await gather(exec.session.output)).stdout, '100000\n');
    assert.equal(await exec.exitCode(), 0);
  }
  await using missing = await twofold.containers.exec(run.id, { command: ['nope'] });
  assert.match((await gather(missing.session.output)).stdout, /executable file not found/);
  assert.equal(await missing.exitCode(), 127);
  const detached = await twofold.containers.execs.runDetached(run.id, { command: ['true'] });
  assert.equal((await twofold.containers.execs.inspect(detached)).ExitCode, 0);
});

test('letting go of a session leaves the container running and nothing held', async () => {
  await using door = await openDoor();
  await using twofold = new Twofold({ socketPath: door.socketPath });
  const { id } = await twofold.containers.create({ Image: 'nanoserver', Cmd: ['tick'], Tty: true, name: 'one' });
  await twofold.containers.start(id);
  {
    await using session = await twofold.containers.attach('one', { stdin: false });
    assert.equal(session.tty, true);
    for await (const { data } of session.output) {
      assert.match(data.toString(), /^tick/);
      break;
    }
  }
  const limit = Date.now() + 10_000;
  while (door.fake.held() > 0) {
    assert.ok(Date.now() < limit, 'the attachment is held still');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal((await twofold.containers.inspect('one')).State.Running, true);
});

test('every verb speaks to the daemon', async () => {
  await using door = await openDoor();
  await using twofold = new Twofold({ socketPath: door.socketPath });
  const { containers, images, networks } = twofold;
  assert.equal((await twofold.ping()).apiVersion, '1.47');
  assert.equal((await twofold.version()).Version, '0.1.0');
  assert.equal((await twofold.info()).Twofold.Accelerator, 'tcg');
  const { id } = await containers.create({
    Image: 'nanoserver',
    Cmd: ['sleep'],
    name: 'one',
    HostConfig: { Isolation: 'process' },
  });
  const waiting = await containers.beginWait('one', { condition: 'next-exit' });
  assert.deepEqual(await containers.start('one'), [
    { name: 'sandbox', beganMs: 0.5, tookMs: 8.2, note: 'clone' },
    { name: 'total', beganMs: 0, tookMs: 10 },
  ]);
  assert.deepEqual(await containers.start('one'), []);
  assert.deepEqual(
    (await containers.list({ filters: { name: 'one' } })).map((one) => one.Id),
    [id],
  );
  await containers.pause('one');
  await containers.unpause('one');
  await containers.rename('one', 'two');
  await containers.resize('two', { rows: 10, columns: 20 });
  await containers.kill('two', 'HUP');
  assert.deepEqual((await containers.top('two')).titles, ['PID', 'CMD']);
  assert.deepEqual(await containers.changes('two'), [
    { path: '/new', kind: 'added' },
    { path: '/etc', kind: 'modified' },
  ]);
  assert.equal((await containers.statPath('two', '/etc')).name, 'etc');
  await assert.rejects(containers.statPath('two', '/nothing'), isNotFound);
  assert.equal((await text((await containers.readArchive('two', '/etc')).tar)).length, 1024);
  await containers.writeArchive(
    'two',
    '/tmp',
    (async function* () {
      yield Buffer.alloc(700);
      await Promise.resolve();
    })(),
  );
  assert.deepEqual(door.fake.received, [{ path: '/tmp', bytes: 700 }]);
  assert.equal((await text(await containers.export('two'))).length, 2048);
  await containers.update('two', { Memory: 64 << 20 });
  await assert.rejects(
    containers.convert('two', 'hyperv'),
    (error) => error instanceof TwofoldApiError && error.status === 409,
  );
  await containers.stop('two', { timeoutSeconds: 1 });
  await containers.stop('two');
  assert.deepEqual(await waiting.exit, { statusCode: 143 });
  assert.match((await gather(containers.logs('two', { tail: 'all' }))).stdout, /size 10x20\r\nHUP\n/);
  assert.equal((await containers.convert('two', 'hyperv', { dryRun: true })).DryRun, true);
  assert.equal((await containers.convert('two', 'hyperv')).To, 'hyperv');
  assert.equal((await containers.inspect('two')).Twofold.Isolation, 'hyperv');
  assert.match((await containers.commit('two', { repository: 'x', tag: 'y' })).id, /^sha256:/);
  await containers.remove('two', { force: true });
  assert.deepEqual(await containers.prune(), { deleted: [], reclaimedBytes: 0 });

  assert.equal((await images.list()).length, 1);
  assert.equal((await images.inspect('nanoserver')).Os, 'linux');
  assert.equal((await images.history('nanoserver')).length, 1);
  await images.tag('nanoserver', 'x', 'y');
  const told = [];
  for await (const line of images.load(
    (async function* () {
      yield Buffer.alloc(10);
      await Promise.resolve();
    })(),
  ))
    told.push(line.stream);
  assert.deepEqual(told, ['10 bytes\n', 'Loaded image: nanoserver:latest\n']);
  assert.equal((await text(await images.save(['nanoserver']))).length, 1024);
  assert.match(
    (
      await images.import(
        (async function* () {
          yield Buffer.alloc(10);
          await Promise.resolve();
        })(),
        { repository: 'x' },
      )
    ).id,
    /^sha256:/,
  );
  assert.deepEqual(await images.remove('nanoserver'), { untagged: ['nanoserver:latest'], deleted: [] });
  await assert.rejects(images.inspect('nowhere'), isNotFound);

  assert.deepEqual(
    (await networks.list()).map((one) => one.Name),
    ['bridge'],
  );
  assert.equal((await networks.inspect('nat')).Driver, 'bridge');
  await networks.create('mine', { subnet: '10.9.0.0/24' });
  await networks.remove('mine');
  const { id: wired } = await containers.create({ Image: 'nanoserver', Cmd: ['sleep'], name: 'wired' });
  const made = await containers.addAdapter('wired', { Name: 'Second', StaticIPAddress: '10.0.0.9' });
  assert.deepEqual(
    [made.Name, made.ContainerId, made.SwitchName, made.StaticIPAddress, made.IPAddress],
    ['Second', wired, '', '10.0.0.9', ''],
  );
  assert.equal(
    (await containers.changeAdapter('wired', made.Id, { Switch: 'NAT', StaticIPAddress: '' })).SwitchName,
    'NAT',
  );
  assert.deepEqual(
    (await containers.adapters('wired')).map((one) => [one.Name, one.SwitchName]),
    [
      ['Network Adapter', 'NAT'],
      ['Second', 'NAT'],
    ],
  );
  await assert.rejects(containers.changeAdapter('wired', 'none', {}), isNotFound);
  await containers.removeAdapter('wired', made.Id);
  await networks.disconnect('NAT', 'wired');
  assert.deepEqual((await containers.inspect('wired')).NetworkSettings.Networks, {});
  await networks.connect('NAT', 'wired', { settings: { Aliases: ['db'], IPAMConfig: { IPv4Address: '10.0.0.7' } } });
  assert.deepEqual(
    (await containers.inspect('wired')).Twofold.Adapters.map((one) => [one.Aliases, one.StaticIPAddress]),
    [[['db'], '10.0.0.7']],
  );
  await containers.remove('wired');
  await twofold.stopCompute('ABC');
  await assert.rejects(twofold.stopCompute('wired'), isNotFound);
  assert.deepEqual(
    (await twofold.switches()).map((one) => one.Name),
    ['NAT'],
  );
  assert.equal((await twofold.compute())[0]?.Owner, 'VMMS');
  const actions = [];
  for await (const event of twofold.events({ since: 1, until: 2, filters: { type: 'container' } }))
    actions.push(event.Action);
  assert.deepEqual(actions, ['create', 'start', 'die', 'destroy', 'create', 'destroy']);
});

test('leaving a loop or firing the signal ends the request', async () => {
  await using door = await openDoor();
  await using twofold = new Twofold({ socketPath: door.socketPath });
  await twofold.containers.create({ Image: 'nanoserver', Cmd: ['sleep'], name: 'one' });
  for await (const event of twofold.events({ since: 1 })) {
    assert.equal(event.Action, 'create');
    break;
  }
  const stop = new AbortController();
  const waiting = twofold.containers.wait('one', { condition: 'next-exit', signal: stop.signal });
  stop.abort();
  await assert.rejects(waiting);
});

test("a daemon that isn't there, and one that refuses, say why", async () => {
  await using nobody = new Twofold({ socketPath: '/tmp/there-is-no-daemon.sock' });
  await assert.rejects(
    nobody.info(),
    (error) =>
      error instanceof TwofoldApiError &&
      error.status === 0 &&
      error.message === 'Cannot talk to the Twofold daemon at /tmp/there-is-no-daemon.sock: no daemon listens there.',
  );
  await assert.rejects(nobody.containers.attach('x'), /no daemon listens there/);
  await using door = await openDoor();
  await using twofold = new Twofold({ socketPath: door.socketPath });
  await assert.rejects(
    twofold.containers.attach('nobody'),
    (error) => isNotFound(error) && /No such container: nobody/.test((error as Error).message),
  );
  await assert.rejects(
    twofold.containers.create({ Image: 'nanoserver', HostConfig: { Isolation: 'vm' } }),
    (error) => error instanceof TwofoldApiError && error.status === 400,
  );
});
