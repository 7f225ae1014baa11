// Containers' lives on real parts, as docker's CLI tells them: ends that are asked for and ends that come, restart
// policies over a reboot, many at once, a disk without room.

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { findWorkers } from '../../packages/daemon/src/host/workers.ts';
import { daemonForTests, startDaemon, TestDaemon } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';
import { until } from '../support/until.ts';

const limit = { timeout: 240_000 };
const image = 'nanoserver';

const daemon = daemonForTests();

const state = (name: string, of = daemon) =>
  of.ok(['inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', name]);

for (const isolation of isolations) {
  describe(`a ${isolation} container`, () => {
    const run = (name: string, ...words: string[]) =>
      daemon.ok(['run', '--detach', '--name', name, '--isolation', isolation, image, ...words]);

    test(
      'is stopped by its signal, killed when it does not heed it, and started again with what it had written',
      limit,
      async () => {
        await run('heeds', 'sh', '-c', 'echo kept >> /kept; trap "exit 5" TERM; while :; do sleep 0.1; done');
        await until('it has written', async () => (await daemon.docker(['exec', 'heeds', 'cat', '/kept'])).code === 0);
        await daemon.ok(['stop', 'heeds']);
        assert.equal(await state('heeds'), 'exited 5');
        await daemon.ok(['start', 'heeds']);
        assert.match(await daemon.ok(['exec', 'heeds', 'cat', '/kept']), /^kept/);
        await daemon.ok(['kill', '--signal', 'KILL', 'heeds']);
        assert.equal(await state('heeds'), 'exited 137');
        await daemon.ok(['rm', 'heeds']);
      },
    );

    test('is gone, its name and its network free, when what asks for that answers', limit, async () => {
      const stubborn = ['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done'];
      await daemon.ok(['network', 'create', 'passing']);
      const again = async (...options: string[]) => {
        const words = ['run', '--detach', '--name', 'again', '--isolation', isolation, ...options, image, ...stubborn];
        await daemon.ok(words);
      };
      await again('--rm');
      await daemon.ok(['kill', 'again']);
      await daemon.docker(['rm', '--force', 'again']);
      await again('--network', 'passing');
      const patient = daemon.docker(['stop', '--time', '300', 'again']);
      await until('it is asked to stop', async () =>
        (await daemon.ok(['events', '--since', '1h', '--until', '0s', '--filter', 'container=again'])).includes(
          ' kill ',
        ),
      );
      await daemon.ok(['stop', '--time', '0', 'again']);
      await daemon.ok(['network', 'rm', 'passing']);
      await daemon.ok(['rm', 'again']);
      await patient;
    });

    test('stands still while it is paused', limit, async () => {
      await run('still', 'sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done');
      const lines = async () => (await daemon.ok(['logs', 'still'])).split('\n').length;
      await until('it counts', async () => (await lines()) > 3);
      await daemon.ok(['pause', 'still']);
      const before = await lines();
      assert.equal(await state('still'), 'paused 0');
      assert.match(
        (await daemon.docker(['exec', 'still', 'true'])).stderr,
        /is paused, unpause the container before exec/,
      );
      assert.ok((await lines()) <= before + 1);
      await daemon.ok(['unpause', 'still']);
      await until('it counts again', async () => (await lines()) > before + 3);
      await daemon.ok(['rm', '--force', 'still']);
    });

    test('with --rm is gone after its end though the daemon was away when it ended', limit, async () => {
      await daemon.ok([
        'run',
        '--detach',
        '--rm',
        '--name',
        'passing',
        '--isolation',
        isolation,
        image,
        'sh',
        '-c',
        'sleep 1',
      ]);
      await daemon.kill();
      await daemon.start();
      await until('it is gone', async () => (await daemon.ok(['ps', '--all', '--quiet'])) === '');
    });
  });
}

test('docker wait tells the end of a run that is followed by another', limit, async () => {
  await daemon.ok(['run', '--detach', '--name', 'ever', '--restart', 'always', image, 'sh', '-c', 'sleep 1; exit 7']);
  assert.equal((await daemon.ok(['wait', 'ever'])).trim(), '7');
  await daemon.ok(['rm', '--force', 'ever']);
});

test('a restart policy restarts as often as it says, and not after a stop', limit, async () => {
  await daemon.ok(['run', '--detach', '--name', 'fails', '--restart', 'on-failure:2', image, 'sh', '-c', 'exit 3']);
  await until(
    'it has given up',
    async () =>
      (await daemon.ok(['inspect', '--format', '{{.RestartCount}} {{.State.Status}}', 'fails'])) === '2 exited',
  );
  await daemon.ok(['run', '--detach', '--name', 'again', '--restart', 'always', image, 'sh', '-c', 'exit 3']);
  await until(
    'it restarts',
    async () => Number(await daemon.ok(['inspect', '--format', '{{.RestartCount}}', 'again'])) > 1,
  );
  await daemon.ok(['stop', 'again']);
  // By the stop's signal where it came upon a running one; 128 where it called off a start.
  assert.match(await state('again'), /^exited (3|128|143)$/);
  await daemon.ok(['rm', 'fails', 'again']);
});

test('twenty containers at once start, answer, and leave nothing behind', limit, async () => {
  const names = Array.from({ length: 20 }, (_, number) => `crowd${number}`);
  const answers = await Promise.all(
    names.map(async (name) => {
      await daemon.ok(['run', '--detach', '--name', name, '--isolation', 'process', image, 'sleep', '1000']);
      return daemon.ok(['exec', name, 'hostname']);
    }),
  );
  assert.equal(new Set(answers).size, 20);
  await daemon.ok(['rm', '--force', ...names]);
  // But the VM that others are forked from, which is no container's.
  const sandboxes = readdirSync(join(daemon.runRoot, 'sb')).filter(
    (id) => !existsSync(join(daemon.runRoot, 'sb', id, 'forks')),
  );
  assert.deepEqual([...sandboxes, ...readdirSync(join(daemon.dataRoot, 'containers'))], []);
});

test('events tell a life in order', limit, async () => {
  const since = String(Math.floor(Date.now() / 1000) - 1);
  const id = await daemon.ok(['create', '--name', 'told', image, 'sh', '-c', 'exit 4']);
  await daemon.docker(['start', '--attach', 'told']);
  await daemon.ok(['rename', 'told', 'told2']);
  await daemon.ok(['rm', 'told2']);
  const events = await daemon.ok([
    'events',
    '--since',
    since,
    '--until',
    String(Math.ceil(Date.now() / 1000) + 1),
    '--filter',
    `container=${id}`,
    '--format',
    '{{.Action}}',
  ]);
  const life = events.split('\n').filter((action) => ['create', 'start', 'die', 'rename', 'destroy'].includes(action));
  assert.deepEqual(life, ['create', 'start', 'die', 'rename', 'destroy']);
});

test('a hyperv container whose machine hangs is stopped, and removed by force', limit, async () => {
  for (const [name, words, end] of [
    ['hung-stop', ['stop', '--time', '1'], 'exited 137'],
    ['hung-rm', ['rm', '--force'], null],
  ] as const) {
    const id = await daemon.ok(['run', '--detach', '--isolation=hyperv', '--name', name, image, 'sleep', '1000']);
    const worker = (await findWorkers()).find(({ sandboxDirectory }) => sandboxDirectory.endsWith(id));
    process.kill(worker!.pid, 'SIGSTOP');
    await daemon.ok([...words, name], { timeoutMs: 30_000 });
    if (end === null) assert.notEqual((await daemon.docker(['inspect', name])).code, 0);
    else assert.equal(await state(name), end);
    await daemon.docker(['rm', '--force', name]);
  }
});

test('without room on the disk no container is started, and the message says how much there is', limit, async () => {
  await using small = await startDaemon(['--minimum-free', '1000t']);
  const refused = await small.docker(['run', '--rm', image, 'true']);
  assert.equal(refused.code, 125);
  assert.match(refused.stderr, /Only \d+ MiB are free in .*--minimum-free/);
});

test(
  'over a reboot of the host, policies hold and everything else counts as ended, never as a success',
  limit,
  async () => {
    await using other = new TestDaemon();
    await other.start();
    await other.ok(['run', '--detach', '--name', 'always', '--restart', 'always', image, 'sleep', '1000']);
    await other.ok(['run', '--detach', '--name', 'stopped', '--restart', 'unless-stopped', image, 'sleep', '1000']);
    await other.ok(['run', '--detach', '--name', 'plain', image, 'sleep', '1000']);
    await other.ok(['stop', '--time', '1', 'stopped']);
    await other.kill();
    await other.reboot();
    await other.start();
    await until('the policy has held', async () => (await state('always', other)).startsWith('running'));
    assert.match(await state('stopped', other), /^exited/);
    assert.equal(await state('plain', other), 'exited 255');
  },
);
