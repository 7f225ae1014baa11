import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { TwofoldError, isTwofoldError, type ContainerId, type ErrorCode, type SandboxId } from '@twofold/contract';
import type { Attachment, ContainerLife } from './engine.ts';
import { containerDirectory } from './places.ts';
import { openHouse, type House } from './simulated-house.ts';

const soon = () => AbortSignal.timeout(5_000);
const code =
  (wanted: ErrorCode, text = '') =>
  (error: unknown) =>
    isTwofoldError(error, wanted) && error.message.includes(text);
const both = { stdin: true, stdout: true, stderr: true };

let house: House;
beforeEach(async () => (house = await openHouse()));
afterEach(() => house[Symbol.asyncDispose]());

const life = (id: string): ContainerLife => house.engine.containers.find(id).life;
const exited = async (id: string) => house.engine.containers.wait(id, 'not-running', soon());
const process = (id: ContainerId) => house.world.processOf({ sandbox: id as string as SandboxId, container: id })!;

async function until(condition: () => boolean): Promise<void> {
  const limit = soon();
  while (!condition()) {
    limit.throwIfAborted();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function read(attachment: Attachment): Promise<string> {
  let text = '';
  for await (const { data } of attachment.output) text += data.toString();
  return text;
}

describe('a run', () => {
  test('gives all its output to who attached before the start, and its exit code to who waits', async () => {
    const id = await house.create(['echo', 'hello']);
    await using attachment = await house.engine.containers.attach(id, both, soon());
    const ended = house.engine.containers.wait(id, 'next-exit', soon());
    await house.engine.containers.start(id, soon());
    assert.equal(await read(attachment), 'hello\n');
    assert.deepEqual(await ended, { statusCode: 0 });
    assert.equal(life(id).at, 'exited');
  });

  test('is given what was written to it before it started', async () => {
    const id = await house.create(['cat'], {}, { OpenStdin: true });
    await using attachment = await house.engine.containers.attach(id, both, soon());
    attachment.stdin!.end('typed early');
    await house.engine.containers.start(id, soon());
    assert.equal(await read(attachment), 'typed early');
  });

  test('makes its producer wait for a slow reader, and loses nothing', async () => {
    const id = await house.create(['flood', String(4 << 20)]);
    await using attachment = await house.engine.containers.attach(id, both, soon());
    await house.engine.containers.start(id, soon());
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(process(id).log.length < 10);
    assert.equal((await read(attachment)).length, 4 << 20);
  });

  test('with a command that is not there leaves it created, with 127 and Docker’s words', async () => {
    const id = await house.create(['nothing-such']);
    await using attachment = await house.engine.containers.attach(id, both, soon());
    const ended = house.engine.containers.wait(id, 'next-exit', soon());
    await assert.rejects(
      house.engine.containers.start(id, soon()),
      code('command-not-found', 'exec: "nothing-such": executable file not found in $PATH: unknown'),
    );
    assert.equal(await read(attachment), '');
    assert.equal((await ended).statusCode, 127);
    const { at, ...rest } = life(id) as ContainerLife & { at: 'created' };
    assert.equal(at, 'created');
    assert.equal(rest.exitCode, 127);
    assert.equal(house.world.sandboxes.size, 0);
    assert.equal(house.reserved.size, 0);
  });

  for (const step of ['createSandbox', 'createContainer', 'configureNetwork', 'startContainer'] as const) {
    test(`whose ${step} fails leaves nothing behind and can be tried again`, async () => {
      const id = await house.create(['sleep']);
      house.world.faults[step] = () => {
        throw new Error('no luck');
      };
      await assert.rejects(house.engine.containers.start(id, soon()), code('internal'));
      assert.deepEqual([house.world.sandboxes.size, house.reserved.size], [0, 0]);
      delete house.world.faults[step];
      await house.engine.containers.start(id, soon());
      assert.equal(life(id).at, 'running');
    });
  }

  test('with --rm is gone afterwards, and its waiter learns the exit code', async () => {
    const id = await house.create(['exit', '7'], { AutoRemove: true });
    const removed = house.engine.containers.wait(id, 'removed', soon());
    await house.engine.containers.start(id, soon());
    assert.deepEqual(await removed, { statusCode: 7 });
    assert.throws(() => house.engine.containers.find(id), code('container-not-found'));
    assert.deepEqual(
      [existsSync(containerDirectory(house.settings, id)), house.world.sandboxes.size, house.reserved.size],
      [false, 0, 0],
    );
  });

  test('tells create, start, die and destroy in order, and when it comes onto its network and leaves', async () => {
    const actions: string[] = [];
    const stop = new AbortController();
    const reading = (async () => {
      for await (const event of house.engine.events({}, stop.signal)) {
        actions.push(event.action);
        if (event.action === 'destroy') return;
      }
    })();
    const id = await house.run(['exit', '3']);
    await exited(id);
    await house.engine.containers.remove(id, { force: false, volumes: false }, soon());
    await reading;
    assert.deepEqual(actions, ['create', 'connect', 'start', 'die', 'disconnect', 'destroy']);
    stop.abort();
    const kept: string[] = [];
    for await (const event of house.engine.events({ since: 0n, until: BigInt(Date.now()) * 1_000_000n - 1n }, soon()))
      kept.push(event.action);
    assert.ok(kept.length <= 6);
  });

  test('out of memory says so', async () => {
    const id = await house.run(['out-of-memory']);
    await exited(id);
    assert.deepEqual(
      { oom: (life(id) as { oomKilled?: boolean }).oomKilled, code: (life(id) as { exitCode?: number }).exitCode },
      { oom: true, code: 137 },
    );
  });
});

describe('ending', () => {
  test('a stop sends the stop signal', async () => {
    const id = await house.run(['sleep'], {}, { StopSignal: 'SIGINT' });
    await house.engine.containers.stop(id, {}, soon());
    assert.deepEqual(process(id)?.signals ?? [2], [2]);
    assert.equal((life(id) as { exitCode: number }).exitCode, 130);
    await assert.rejects(house.engine.containers.stop(id, {}, soon()), code('already-in-that-state'));
  });

  test('a stop kills who does not heed the signal in time', async () => {
    const id = await house.run(['stubborn']);
    await house.engine.containers.stop(id, { timeoutSeconds: 0.05 }, soon());
    assert.equal((life(id) as { exitCode: number }).exitCode, 137);
  });

  test('a stop that may take a month does not kill at once', async () => {
    const id = await house.run(['stubborn']);
    const stopping = house.engine.containers.stop(id, { timeoutSeconds: 30 * 86_400 }, soon());
    await until(() => process(id).signals.includes(15));
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(process(id).signals, [15]);
    await house.engine.containers.kill(id, 'KILL', soon());
    await stopping;
  });

  test('a kill reaches a container that a patient stop waits for', async () => {
    const id = await house.run(['stubborn']);
    const stopping = house.engine.containers.stop(id, { timeoutSeconds: -1 }, soon());
    await until(() => process(id).signals.includes(15));
    await house.engine.containers.kill(id, 'KILL', soon());
    await stopping;
    assert.equal(life(id).at, 'exited');
  });

  test('after a kill by KILL it has ended; after any other signal it need not', async () => {
    const id = await house.run(['stubborn'], { RestartPolicy: { Name: 'always' } });
    await house.engine.containers.kill(id, 'HUP', soon());
    assert.equal(life(id).at, 'running');
    await house.engine.containers.kill(id, '9', soon());
    assert.deepEqual([life(id).at, (life(id) as { exitCode: number }).exitCode], ['exited', 137]);
    await house.engine.containers.remove(id, { force: false, volumes: false }, soon());
  });

  test('a kill ends from outside who is not ended by KILL', async () => {
    const id = await house.run(['sleep'], { Isolation: 'hyperv' });
    house.world.faults.signal = () => {
      throw new TwofoldError('sandbox-gone', 'The sandbox is gone.');
    };
    const limit = AbortSignal.timeout(100);
    await assert.rejects(house.engine.containers.kill(id, 'KILL', limit), code('cancelled'));
    delete house.world.faults.signal;
    await house.engine.containers.kill(id, 'KILL', soon());
    assert.equal(life(id).at, 'exited');
  });

  test('a removal by force, another stop and a restart do not wait for a patient stop', async () => {
    const patient = (id: ContainerId) => house.engine.containers.stop(id, { timeoutSeconds: -1 }, soon());
    const asked = (id: ContainerId) => until(() => process(id).signals.includes(15));
    const stops: Promise<void>[] = [];
    const one = await house.run(['stubborn']);
    stops.push(patient(one));
    await asked(one);
    await house.engine.containers.stop(one, { timeoutSeconds: 0 }, soon());
    assert.equal(life(one).at, 'exited');
    const two = await house.run(['stubborn']);
    stops.push(patient(two));
    await asked(two);
    await house.engine.containers.restart(two, { timeoutSeconds: 0 }, soon());
    assert.equal(life(two).at, 'running');
    const three = await house.run(['stubborn'], {}, { Labels: {} });
    stops.push(patient(three));
    await asked(three);
    await house.engine.containers.remove(three, { force: true, volumes: false }, soon());
    assert.throws(() => house.engine.containers.find(three), code('container-not-found'));
    await Promise.all(stops);
    assert.equal(life(two).at, 'running');
  });

  test('a removal by force does not wait for a client who does not read its files', async () => {
    const id = await house.create(['true']);
    const chunk = Buffer.alloc(1 << 16);
    let ended = false;
    house.world.filesAtRest = () => ({
      stdin: new PassThrough(),
      stdout: (async function* () {
        for (;;) yield chunk;
      })(),
      done: new Promise(() => undefined),
      [Symbol.asyncDispose]: async () => void (ended = true),
    });
    await house.engine.containers.export(id, soon());
    await house.engine.containers.remove(id, { force: true, volumes: false }, soon());
    assert.equal(ended, true);
  });

  test('a removal by force of one that is being removed answers when its name is free', async () => {
    const id = await house.create(['stubborn'], { AutoRemove: true }, { name: 'again' });
    await house.engine.containers.start(id, soon());
    const going = Promise.withResolvers<void>();
    house.world.faults.deleteSandbox = () => going.promise;
    await house.engine.containers.kill(id, 'KILL', soon());
    await until(() => life(id).at === 'removing');
    await assert.rejects(
      house.engine.containers.remove(id, { force: false, volumes: false }, soon()),
      code('conflict', 'already in progress'),
    );
    const removing = house.engine.containers.remove('again', { force: true, volumes: false }, soon());
    going.resolve();
    await removing;
    await house.create(['true'], {}, { name: 'again' });
  });

  test('a removal that fails is told to who waits for it, and is tried again', async () => {
    const id = await house.run(['sleep'], { AutoRemove: true });
    house.world.faults.deleteSandbox = () => {
      throw new Error('no luck');
    };
    const removed = house.engine.containers.wait(id, 'removed', soon());
    await house.engine.containers.kill(id, 'KILL', soon());
    assert.match((await removed).error!, /could not be removed completely/);
    assert.equal(life(id).at, 'dead');
    delete house.world.faults.deleteSandbox;
    await house.engine.containers.wait(id, 'removed', soon());
    assert.throws(() => house.engine.containers.find(id), code('container-not-found'));
  });

  test('a restart of a container with --rm does not remove it', async () => {
    const id = await house.run(['sleep'], { AutoRemove: true });
    await house.engine.containers.restart(id, {}, soon());
    assert.equal(life(id).at, 'running');
    await house.engine.containers.kill(id, 'KILL', soon());
    await until(() => house.engine.containers.list().length === 0);
  });

  test('a stop gives up a start that hangs', async () => {
    const id = await house.create(['sleep']);
    let hanging = false;
    house.world.faults.startContainer = (signal) => {
      hanging = true;
      return new Promise((_resolve, reject) =>
        signal!.addEventListener('abort', () => reject(signal!.reason as Error)),
      );
    };
    const starting = assert.rejects(house.engine.containers.start(id, soon()), code('cancelled'));
    await until(() => hanging);
    await assert.rejects(house.engine.containers.stop(id, {}, soon()), code('already-in-that-state'));
    await starting;
    assert.equal(house.world.sandboxes.size, 0);
  });

  test('a running container is only removed by force, a removed one is not found', async () => {
    const id = await house.run(['stubborn']);
    await assert.rejects(
      house.engine.containers.remove(id, { force: false, volumes: false }, soon()),
      code('container-running', 'stop the container before removing or force remove'),
    );
    await house.engine.containers.remove(id, { force: true, volumes: false }, soon());
    assert.throws(() => house.engine.containers.find(id), code('container-not-found', 'No such container'));
    assert.equal(house.world.sandboxes.size, 0);
  });

  test('two starts, stops and removals at once end in one of the states that they ask for', async () => {
    const id = await house.create(['sleep']);
    const { containers } = house.engine;
    await Promise.allSettled([
      containers.start(id, soon()),
      containers.start(id, soon()),
      containers.stop(id, {}, soon()),
      containers.start(id, soon()),
      containers.restart(id, {}, soon()),
    ]);
    assert.ok(['running', 'exited', 'created'].includes(life(id).at));
    await containers.remove(id, { force: true, volumes: false }, soon());
    assert.deepEqual([house.world.sandboxes.size, house.reserved.size], [0, 0]);
  });

  test('a supervisor that is killed takes its container with it, never as a success', async () => {
    const id = await house.run(['sleep']);
    house.world.kill(id as string as SandboxId);
    assert.equal((await exited(id)).statusCode, 255);
    assert.match((life(id) as { error: string }).error, /supervisor was killed/);
  });

  test('pause and unpause', async () => {
    const id = await house.run(['sleep']);
    await house.engine.containers.pause(id);
    assert.equal(life(id).at, 'paused');
    await assert.rejects(house.engine.containers.pause(id), code('conflict', 'already paused'));
    await house.engine.containers.unpause(id);
    await assert.rejects(house.engine.containers.unpause(id), code('conflict', 'is not paused'));
    assert.equal(life(id).at, 'running');
  });
});

test('a commit shows the container as paused while its files are read, and as running afterwards', async () => {
  const id = await house.run(['sleep']);
  let seen = '';
  house.world.faults.files = () => {
    seen = life(id).at;
  };
  await assert.rejects(
    house.engine.containers.commit(id, { reference: null, message: '', author: '', changes: [], pause: true }, soon()),
    code('unsupported', 'no files'),
  );
  assert.equal(seen, 'paused');
  assert.equal(life(id).at, 'running');
});

describe('restart policies', () => {
  test('on-failure restarts as often as it says', async () => {
    const id = await house.run(['exit', '4'], { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } });
    await until(() => life(id).at === 'exited');
    assert.equal(house.engine.containers.find(id).restartCount, 2);
  });

  test('who waits for the end of a container that restarts is told of each', async () => {
    const id = await house.create(['exit', '4'], { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } });
    const next = house.engine.containers.wait(id, 'next-exit', soon());
    const removed = house.engine.containers.wait(id, 'removed', soon());
    await house.engine.containers.start(id, soon());
    assert.deepEqual(await next, { statusCode: 4 });
    assert.equal(life(id).at, 'restarting');
    for (const condition of ['not-running', 'next-exit'] as const)
      assert.deepEqual(await house.engine.containers.wait(id, condition, soon()), { statusCode: 4 });
    await until(() => life(id).at === 'exited');
    assert.equal(house.engine.containers.find(id).restartCount, 2);
    await house.engine.containers.remove(id, { force: false, volumes: false }, soon());
    assert.deepEqual(await removed, { statusCode: 4 });
  });

  test('a stop ends a container that waits for its restart, and it stays so', async () => {
    const id = await house.run(['exit', '4'], { RestartPolicy: { Name: 'always' } });
    await until(() => life(id).at === 'restarting');
    await house.engine.containers.stop(id, {}, soon());
    assert.equal(life(id).at, 'exited');
  });

  test('hold over a reboot of the host, but not for what a person stopped', async () => {
    const always = await house.run(['sleep'], { RestartPolicy: { Name: 'always' } });
    const stopped = await house.run(['sleep'], { RestartPolicy: { Name: 'unless-stopped' } });
    const plain = await house.run(['sleep']);
    await house.engine.containers.stop(stopped, {}, soon());
    await house.restart(() => house.world.reboot());
    await until(() => life(always).at === 'running');
    assert.equal(life(stopped).at, 'exited');
    assert.deepEqual([life(plain).at, (life(plain) as { exitCode: number }).exitCode], ['exited', 255]);
  });
});

describe('a restart of the daemon', () => {
  test('finds what runs, and knows how what ended meanwhile ended', async () => {
    const stays = await house.run(['sleep']);
    const ends = await house.run(['sleep']);
    await house.restart(() => process(ends).signal(15));
    assert.equal(life(stays).at, 'running');
    assert.equal((life(ends) as { exitCode: number }).exitCode, 143);
    await house.engine.containers.stop(stays, {}, soon());
    assert.equal((life(stays) as { exitCode: number }).exitCode, 143);
  });

  test('removes what --rm would have removed', async () => {
    const id = await house.run(['sleep'], { AutoRemove: true });
    await house.restart(() => process(id).signal(15));
    await until(() => house.engine.containers.list().length === 0);
  });

  test('takes away sandboxes, directories and addresses that belong to nobody', async () => {
    const id = await house.create(['sleep']);
    house.world.faults.startContainer = () => new Promise(() => undefined);
    const lost = house.engine.containers.start(id, soon());
    lost.catch(() => undefined);
    await until(() => house.world.sandboxes.size === 1);
    await house.restart(() => delete house.world.faults.startContainer);
    await until(() => house.world.sandboxes.size === 0);
    assert.equal(life(id).at, 'created');
    await house.engine.containers.start(id, soon());
  });
});

describe('an exec', () => {
  test('gives output and exit code, which is there when the output ends', async () => {
    const container = await house.run(['sleep']);
    const id = await house.engine.execs.create(container, { Cmd: ['echo', 'inside'], AttachStdout: true });
    await using attachment = (await house.engine.execs.start(id, { detach: false }, soon()))!;
    assert.equal(await read(attachment), 'inside\n');
    const { life: ended } = house.engine.execs.find(id);
    assert.deepEqual([ended.at, (ended as { exitCode: number }).exitCode], ['exited', 0]);
  });

  test('of a command that is not there says 127', async () => {
    const container = await house.run(['sleep']);
    const id = await house.engine.execs.create(container, { Cmd: ['nothing-such'] });
    await assert.rejects(
      house.engine.execs.start(id, { detach: false }, soon()),
      code('command-not-found', 'OCI runtime exec failed'),
    );
    assert.equal((house.engine.execs.find(id).life as { exitCode: number }).exitCode, 127);
  });

  test('in a container that does not run is refused', async () => {
    const container = await house.create(['sleep']);
    await assert.rejects(
      house.engine.execs.create(container, { Cmd: ['true'] }),
      code('container-not-running', 'is not running'),
    );
  });
});

describe('names', () => {
  test('are unique, and give way when their container is removed or renamed', async () => {
    const id = await house.create(['true'], {}, { name: 'HYPVCON' });
    await assert.rejects(
      house.create(['true'], {}, { name: 'HYPVCON' }),
      code('name-taken', `The container name "/HYPVCON" is already in use by container "${id}"`),
    );
    await house.engine.containers.rename('/HYPVCON', 'other');
    await house.create(['true'], {}, { name: 'HYPVCON' });
    assert.equal(house.engine.containers.find('other').id, id);
  });

  test('with a slash or one letter are refused', async () => {
    await assert.rejects(
      house.create(['true'], {}, { name: 'a/b' }),
      code('invalid-argument', 'Invalid container name (a/b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed'),
    );
  });

  test('an id, a GUID in capitals and a unique prefix find the same', async () => {
    const id = await house.create(['true']);
    const guid = `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20, 32)}`;
    for (const reference of [id, id.slice(0, 12), guid, guid.toUpperCase()])
      assert.equal(house.engine.containers.find(reference).id, id);
  });
});

test('a stop signal that is none is refused; where an image has it, TERM is taken', async () => {
  await assert.rejects(
    house.create(['sleep'], {}, { StopSignal: 'XX' }),
    code('invalid-argument', 'Invalid signal: XX'),
  );
  await using other = await openHouse({ image: { StopSignal: 'XX' } });
  const id = await other.run(['sleep']);
  assert.equal(other.engine.containers.find(id).config.StopSignal, 'XX');
  await other.engine.containers.stop(id, {}, soon());
  assert.equal((other.engine.containers.find(id).life as { exitCode: number }).exitCode, 143);
});

test('what cannot be is refused before anything is made', async () => {
  await assert.rejects(house.create(['true'], { Isolation: 'vm' }), code('invalid-argument', 'vm'));
  await assert.rejects(
    house.create(['true'], { Memory: 1 }),
    code('invalid-argument', 'Minimum memory limit allowed is 6MB'),
  );
  await assert.rejects(house.create([]), code('invalid-argument', 'no command specified'));
  await assert.rejects(
    house.engine.containers.create({ config: { Image: 'nope', Cmd: ['a'] }, hostConfig: {} }, soon()),
    code('image-not-found', 'No such image: nope:latest'),
  );
  assert.equal(house.engine.containers.list().length, 0);
});

test('HyperV in any case makes a container with a worker, which compute shows', async () => {
  const id = await house.run(['sleep'], { Isolation: 'HyperV' });
  const { isolation, requestedIsolation, machine } = house.engine.containers.find(id);
  assert.deepEqual(
    { isolation, requestedIsolation, cpus: machine?.cpus },
    { isolation: 'hyperv', requestedIsolation: 'hyperv', cpus: 2 },
  );
  const [worker] = await house.engine.compute();
  assert.deepEqual(
    [worker?.Id.replaceAll('-', ''), worker?.Owner, worker?.User],
    [id.slice(0, 32).toUpperCase(), 'VMMS', id.slice(0, 32)],
  );
});
