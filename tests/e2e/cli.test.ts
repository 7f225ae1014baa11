// The CLI `twofold` as a person uses it on a machine without docker's: its everyday verbs, and those that docker lacks.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { command, type CommandResult } from '../support/command.ts';
import { daemonForTests } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';
import { until } from '../support/until.ts';

const CLI = join(import.meta.dirname, '../../packages/cli/src/main.ts');
const IMAGE = 'NanoServer'; // matched without regard to case

const daemon = daemonForTests();

const twofold = (words: readonly string[], input?: string): Promise<CommandResult> =>
  command(process.execPath, [CLI, '--host', `unix://${daemon.socket}`, ...words], input === undefined ? {} : { input });

async function ok(...words: string[]): Promise<string> {
  const result = await twofold(words);
  assert.equal(result.code, 0, `twofold ${words.join(' ')}: ${result.stderr}`);
  return result.stdout.replace(/\n$/, '');
}

test('switches are made, listed and removed, and a worker is ended', async () => {
  await ok('switches', 'create', 'Bench', '--subnet', '10.219.1.0/24', '--ip-range', '10.219.1.64/26', '--internal');
  const id = await ok('run', '--detach', '--name', 'ended', '--isolation', 'hyperv', IMAGE, 'sleep', '600');
  assert.match(await ok('switches'), /^Bench +Internal +\S+ +10\.219\.1\.0\/24 +10\.219\.1\.1/m);
  assert.match(await ok('compute'), /ended/);
  assert.equal(await ok('compute', 'stop', id.slice(0, 12)), id.slice(0, 12));
  assert.doesNotMatch(await ok('compute'), /ended/);
  const again = await twofold(['compute', 'stop', 'ended']);
  assert.deepEqual([again.code, /No such compute process: ended/.test(again.stderr)], [1, true], again.stderr);
  await ok('rm', 'ended');
  assert.equal(await ok('switches', 'rm', 'bench'), 'bench');
  assert.equal((await twofold(['switches', 'rm', 'NAT'])).code, 1);
});

for (const isolation of isolations) {
  describe(`twofold with ${isolation} isolation`, () => {
    const name = `cli-${isolation}`;

    test('runs a command with its streams, its input and its exit code', async () => {
      const result = await twofold(
        [
          'run',
          '--rm',
          '-i',
          '--isolation',
          isolation,
          '-e',
          'A=b',
          '-w',
          '/tmp',
          IMAGE,
          'sh',
          '-c',
          'cat; echo $A $(pwd); echo err >&2; exit 6',
        ],
        'input\n',
      );
      assert.deepEqual([result.code, result.stdout, result.stderr], [6, 'input\nb /tmp\n', 'err\n']);
    });

    test('tells the steps of a start and their times', async () => {
      const result = await twofold(['run', '--rm', '--trace', '--isolation', isolation, IMAGE, 'echo', 'ran']);
      assert.deepEqual([result.code, result.stdout], [0, 'ran\n']);
      for (const step of ['files', 'sandbox', 'prepare', 'start', 'total'])
        assert.match(result.stderr, new RegExp(`^${step} +[\\d.]+ ms +[\\d.]+ ms`, 'm'));
      assert.match(
        result.stderr,
        isolation === 'hyperv' ? /^sandbox .* ms +(fork|clone|boot)$/m : /^sandbox .* ms *$/m,
      );
    });

    test('ends with 127 for an entrypoint that is not there', async () => {
      assert.equal(
        (await twofold(['run', '--rm', '--isolation', isolation, '--entrypoint', '/none', IMAGE])).code,
        127,
      );
    });

    test('starts in the background, lists, executes, shows the log, stops, converts, and removes', async () => {
      const id = await ok(
        'run',
        '--detach',
        '--name',
        name,
        '--isolation',
        isolation,
        IMAGE,
        'sh',
        '-c',
        'echo begun; echo kept > /root/notes; sleep 600',
      );
      assert.match(id, /^[0-9a-f]{64}$/);
      await until('it has begun', async () => (await ok('logs', name)) === 'begun');
      const listed = JSON.parse(await ok('ps', '--format', 'json', '--filter', `isolation=${isolation}`)) as {
        Id: string;
        Twofold: { Isolation: string };
      }[];
      assert.deepEqual(
        listed.map((one) => [one.Id, one.Twofold.Isolation]),
        [[id, isolation]],
      );
      const exec = await twofold(['exec', '-i', name, 'sh', '-c', 'cat; exit 4'], 'through');
      assert.deepEqual([exec.code, exec.stdout], [4, 'through']);

      const guid = id.slice(0, 32);
      const workers = JSON.parse(await ok('compute', '--format', 'json')) as {
        Id: string;
        Name: string;
        Owner: string;
        Type: string;
        User: string;
      }[];
      const dashed = [guid.slice(0, 8), guid.slice(8, 12), guid.slice(12, 16), guid.slice(16, 20), guid.slice(20)]
        .join('-')
        .toUpperCase();
      const mine = workers
        .filter((one) => one.Name === name)
        .map(({ Id, Owner, Type, User }) => ({ Id, Owner, Type, User }));
      assert.deepEqual(
        mine,
        isolation === 'hyperv' ? [{ Id: dashed, Owner: 'VMMS', Type: 'Container', User: guid }] : [],
      );

      const other = isolation === 'process' ? 'hyperv' : 'process';
      const refused = await twofold(['convert', name, '--isolation', other]);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /running/);
      await ok('stop', '--time', '1', name);
      assert.match(await ok('convert', dashed, '--isolation', other, '--dry-run'), /nothing was done/);
      await ok('convert', name, '--isolation', other);
      await ok('start', name);
      assert.equal(await ok('exec', name, 'cat', '/root/notes'), 'kept');
      await ok('rm', '--force', name);
      assert.equal(await ok('ps', '--all', '--quiet'), '');
    });
  });
}

test('lists images and switches', async () => {
  assert.match(await ok('images'), /^nanoserver +latest/m);
  const switches = JSON.parse(await ok('switches', '--format', 'json')) as { Name: string }[];
  assert.deepEqual(switches.map((one) => one.Name).sort(), ['NAT', 'Virtual Switch']);
});

test('says what to do when no daemon answers, and for a container that is not there', async () => {
  const nobody = await command(process.execPath, [CLI, '--host', `unix://${daemon.directory}/nobody`, 'ps']);
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /No daemon answers at .*twofold up/);
  const unknown = await twofold(['stop', 'nobody-here']);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /No such container: nobody-here/);
});

test('every verb tells more with --help', async () => {
  const verbs = [...(await ok('--help')).matchAll(/^ {2}([a-z]+)[ |[]/gm)]
    .map((match) => match[1]!)
    .filter((verb) => verb !== 'help');
  assert.ok(verbs.length >= 15, verbs.join(' '));
  for (const verb of verbs) assert.match(await ok(verb, '--help'), /Usage: twofold/);
});
