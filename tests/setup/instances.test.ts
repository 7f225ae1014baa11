// Two daemons beside each other, told apart by one word: each is found by it, and a purge of one takes everything of it
// and nothing of the other.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readCommandLine } from '@twofold/daemon/command-line.ts';
import { knownInstances } from '@twofold/daemon/instances.ts';
import { command } from '../support/command.ts';
import { installCommand } from '../support/installed.ts';
import { isolations } from '../support/isolations.ts';
import { leftovers } from '../support/leftovers.ts';
import { libRoot } from '../support/library.ts';

const names = ['a', 'b'].map((letter) => `${letter}${process.pid.toString(36)}`) as [string, string];
const [one, other] = names;
const installed = installCommand();
const { TWOFOLD_HOST: _host, TWOFOLD_INSTANCE: _instance, ...env } = process.env;
const twofold = (...words: string[]) => command(installed.command, words, { env });
const settingsOf = (name: string) => readCommandLine(['--instance', name])!;

async function ok(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await twofold(...words);
  assert.equal(code, 0, `twofold ${words.join(' ')}: ${stderr}`);
  return stdout;
}

/** What an instance has in the places where daemons are beside each other. */
async function possessions(name: string): Promise<string[]> {
  const { linkPrefix, workerUids, runRoot, cgroupParent } = settingsOf(name);
  const users = readdirSync('/run/userdb').filter((file) => {
    const id = Number(/^(\d+)\./.exec(file)?.[1]);
    return id >= workerUids.first && id <= workerUids.last;
  });
  return [...(await leftovers(`${runRoot}/`, linkPrefix, cgroupParent.slice(1))), ...users].sort();
}

before(async () => {
  for (const name of names) {
    await ok('up', '--instance', name, '--vm-pool', '0');
    for (const isolation of isolations)
      await ok(
        '--instance',
        name,
        'run',
        '--detach',
        '--name',
        `${name}-${isolation}`,
        '--isolation',
        isolation,
        'nanoserver',
        'sleep',
        '600',
      );
  }
});
after(async () => {
  for (const name of names)
    if (knownInstances().has(name)) await twofold('--instance', name, 'down', '--purge', '--yes', '--keep-setup');
  installed[Symbol.dispose]();
  for (const name of names) assert.deepEqual(await possessions(name), []);
});

test('each is found by its name, as a word and in the environment', async () => {
  for (const name of names) {
    const mine = isolations.map((isolation) => `${name}-${isolation}`).toSorted();
    const listed = (text: string) =>
      (JSON.parse(text) as { Names: string[] }[]).map((each) => each.Names[0]!.slice(1)).sort();
    assert.deepEqual(listed(await ok('--instance', name, 'ps', '--format', 'json')), mine);
    const byEnvironment = await command(installed.command, ['ps', '--format', 'json'], {
      env: { ...env, TWOFOLD_INSTANCE: name },
    });
    assert.deepEqual(listed(byEnvironment.stdout), mine);
    const doctor = JSON.parse((await twofold('--instance', name, 'doctor', '--format', 'json')).stdout) as {
      findings: { name: string; state: string; found: string }[];
    };
    const found = (of: string) => doctor.findings.find((each) => each.name === of)!;
    assert.equal(found('daemon').state, 'ok');
    assert.ok(found('daemon').found.includes(settingsOf(name).socket));
    const beside = name === one ? other : one;
    assert.ok(found('other daemons').found.includes(`instance ${beside} (`), found('other daemons').found);
    assert.ok(!found('other daemons').found.includes(`instance ${name} (`), found('other daemons').found);
    assert.match(await ok('--instance', name, 'exec', `${name}-process`, 'hostname'), /\w/);
  }
  const { code, stderr } = await twofold('--instance', 'nobody', 'ps');
  assert.equal(code, 1);
  assert.match(stderr, /\/run\/twofold-nobody\/twofold\.sock.*sudo twofold --instance nobody up/);
});

test('a purge says what it removes and of whom, and without a yes it removes nothing', async () => {
  const before = await possessions(one);
  const { code, stderr } = await twofold('down', '--purge', '--instance', one);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`Purging instance ${one} removes:`));
  assert.match(
    stderr,
    new RegExp(
      `\\(${isolations.length} containers, of which ${isolations.length} are running, .*/var/lib/twofold-${one}, /run/twofold-${one}`,
    ),
  );
  assert.match(stderr, new RegExp(`What set-up built stays(.|\n)*instance ${other} \\(/var/lib/twofold-${other}\\)`));
  assert.match(stderr, /there is no terminal.*--yes/);
  for (const answer of ['n\n', '\n', 'yes please\n', '\x04']) {
    const asked = await command(
      'script',
      ['-qec', `${installed.command} --instance ${one} down --purge`, '/dev/null'],
      { env, input: answer },
    );
    assert.match(asked.stdout, /Go on\? \[y\/N\]/);
    assert.match(asked.stdout, /Nothing was removed\./);
    assert.equal(asked.code, 1);
  }
  assert.deepEqual(await possessions(one), before);
  assert.equal((await ok('--instance', one, 'ps', '-q')).trim().split('\n').length, isolations.length);
});

test('what does not name an instance that is there ends or removes none', async () => {
  const missing = await twofold('down', '--purge', '--yes', '--instance', 'nobody');
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, new RegExp(`The instance nobody does not exist on this machine.*${one}`));
  const { code, stderr } = await command(installed.command, ['down'], { env: { ...env, TWOFOLD_INSTANCE: one } });
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`give --instance ${one}, or --instance default`));
  assert.equal((await ok('--instance', one, 'ps', '-q')).trim().split('\n').length, isolations.length);
});

test('a purge whose words lead to a directory of the other’s is refused, and ends no daemon', async () => {
  for (const words of [
    ['--exec-root', `/var/run/twofold-${other}`], // /var/run is a link to /run
    ['--data-root', join(settingsOf(other).dataRoot, 'images')],
    ['--data-root', settingsOf(other).dataRoot],
  ]) {
    const { code, stderr } = await twofold('down', '--purge', '--yes', '--instance', one, ...words);
    assert.equal(code, 1, words.join(' '));
    assert.match(stderr, /belongs to another daemon.*nothing is removed/);
    for (const name of names)
      assert.equal((await ok('--instance', name, 'ps', '-q')).trim().split('\n').length, isolations.length);
  }
});

test('a purge of one takes everything of it and nothing of the other, though the other’s daemon has been killed', async () => {
  const { dataRoot, runRoot } = settingsOf(other);
  const pid = Number(readFileSync(join(dataRoot, 'daemon.pid'), 'utf8'));
  process.kill(pid, 'SIGKILL');
  const before = (await possessions(other)).filter((line) => !line.startsWith(`process ${pid}`));
  assert.ok(before.length > 0);
  const text = await ok('--instance', one, 'down', '--purge', '--yes');
  assert.match(text, new RegExp(`data of instance ${one} are gone\\.`));
  assert.deepEqual(await possessions(one), []);
  for (const root of [settingsOf(one).dataRoot, settingsOf(one).runRoot]) assert.equal(existsSync(root), false, root);
  assert.deepEqual(await possessions(other), before);
  assert.ok(existsSync(dataRoot) && existsSync(runRoot) && existsSync(join(libRoot, 'bin')));
  await ok('--instance', other, 'up', '--vm-pool', '0');
  for (const isolation of isolations)
    assert.equal(await ok('--instance', other, 'exec', `${other}-${isolation}`, 'echo', 'lives'), 'lives\n');
  assert.deepEqual([knownInstances().has(one), knownInstances().has(other)], [false, true]);
});
