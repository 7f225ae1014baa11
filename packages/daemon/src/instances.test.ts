import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, beforeEach, test } from 'node:test';
import { isTwofoldError } from '@twofold/contract';
import { readCommandLine } from './command-line.ts';
import { enter, knownInstances, leave, othersThan, slotOf } from './instances.ts';
import type { Settings } from './settings.ts';

const directory = mkdtempSync(join(tmpdir(), 'tfreg-'));
const register = join(directory, 'register');
process.env['TWOFOLD_REGISTER'] = register;
beforeEach(() => rmSync(register, { recursive: true, force: true }));
after(() => rmSync(directory, { recursive: true, force: true }));

/** Settings of an instance whose data root is there. */
function living(name: string): Settings {
  const dataRoot = join(directory, name);
  mkdirSync(dataRoot, { recursive: true });
  return readCommandLine(['--instance', name, '--data-root', dataRoot, '--exec-root', join(directory, 'none')])!;
}

test('all else follows from the name, and flags win', () => {
  const { slot } = readCommandLine(['--instance', 'blue'])!.instance!;
  const { instance, dataRoot, runRoot, socket, cgroupParent } = readCommandLine(['--instance', 'blue'])!;
  assert.deepEqual(
    [instance?.name, dataRoot, runRoot, socket, cgroupParent],
    ['blue', '/var/lib/twofold-blue', '/run/twofold-blue', '/run/twofold-blue/twofold.sock', '/twofold-blue'],
  );
  assert.ok(slot >= 1 && slot <= 64);
  const flagged = readCommandLine(['--data-root', '/elsewhere', '--instance=blue', '--bridge-prefix', 'zz'])!;
  assert.deepEqual([flagged.dataRoot, flagged.linkPrefix, flagged.runRoot], ['/elsewhere', 'zz', '/run/twofold-blue']);
  assert.deepEqual(readCommandLine(['--instance', 'default']), readCommandLine([]));
  for (const name of ['Blue', '1', 'a/b', '..', 'x'.repeat(17), 'a_b', 'a.b'])
    assert.throws(
      () => readCommandLine(['--instance', name]),
      (error) => isTwofoldError(error, 'invalid-argument') && error.message.includes('instance name'),
    );
});

test('a number is one instance’s until it leaves, and the same again after that', () => {
  const names = Array.from({ length: 64 }, (_, index) => `n${index}`);
  const settings = names.map((name) => {
    const one = living(name);
    enter(one);
    return one;
  });
  assert.equal(new Set(settings.map((one) => one.instance!.slot)).size, 64);
  assert.deepEqual(
    names.map(slotOf),
    settings.map((one) => one.instance!.slot),
  );
  assert.deepEqual([...knownInstances()].sort(), names.toSorted());
  assert.throws(
    () => slotOf('more'),
    (error) => isTwofoldError(error, 'conflict') && error.message.includes('64 instances'),
  );
  leave(settings[7]!);
  assert.equal(slotOf('more'), settings[7]!.instance!.slot);
  for (const one of settings) leave(one);
  assert.throws(() => readdirSync(register), { code: 'ENOENT' });
});

test('two that were given the same number at once do not both start', () => {
  const one = living('one');
  enter(one);
  const other = { ...living('other'), instance: { name: 'other', slot: one.instance!.slot } };
  assert.throws(
    () => enter(other),
    (error) => isTwofoldError(error, 'conflict') && error.message.includes('start it again'),
  );
  enter(one); // a second start of its own
});

test('others are those whose directories are there, whatever else lies in the register', () => {
  const [one, other, gone] = [living('one'), living('other'), living('gone')];
  for (const each of [one, other, gone]) enter(each);
  rmSync(gone.dataRoot, { recursive: true });
  writeFileSync(join(register, 'broken.json'), '{"instance":');
  writeFileSync(join(register, `0.json.${process.pid}`), 'what a kill left');
  assert.deepEqual(
    othersThan(one).map((each) => [each.instance, each.dataRoot]),
    [['other', other.dataRoot]],
  );
  enter(one);
  leave(other);
  assert.deepEqual(othersThan(one), []);
});

test('daemons that come and go at the same moment take nothing away from each other', async () => {
  const script = `
    import { mkdirSync } from 'node:fs';
    import { readCommandLine } from ${JSON.stringify(new URL('./command-line.ts', import.meta.url).href)};
    import { enter, leave } from ${JSON.stringify(new URL('./instances.ts', import.meta.url).href)};
    const [, name, dataRoot] = process.argv;
    mkdirSync(dataRoot, { recursive: true });
    const settings = readCommandLine(['--instance', name, '--data-root', dataRoot]);
    for (let times = 0; times < 500; times++) {
      enter(settings);
      leave(settings);
    }`;
  const ended = ['one', 'other'].map(async (name) => {
    const words = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script];
    const child = spawn(process.execPath, [...words, name, join(directory, name)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const errors = text(child.stderr);
    const [code] = (await once(child, 'close')) as [number | null];
    return [code, await errors];
  });
  assert.deepEqual(await Promise.all(ended), [
    [0, ''],
    [0, ''],
  ]);
});
