import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertOwnDirectory, mountsBelow, removeUserRecords } from './sweep.ts';

test('mounts below the roots are unmounted from the inside out, others left alone', () => {
  const mountinfo = [
    '1 0 8:1 / / rw',
    '2 1 0:5 / /run/twofold/sb/a rw',
    '3 2 0:6 / /run/twofold/sb/a/root\\040fs rw',
    '4 1 0:7 / /run/twofoldish rw',
    '5 1 0:8 / /var/lib/twofold rw',
  ].join('\n');
  assert.deepEqual(mountsBelow(mountinfo, ['/run/twofold', '/var/lib/twofold']), [
    '/var/lib/twofold',
    '/run/twofold/sb/a/root fs',
    '/run/twofold/sb/a',
  ]);
});

test('a directory that is not ours is never removed', () => {
  for (const path of ['/', '/var', '/var/lib', '/usr/local', '/tmp', '/var/lib/../..', '/var/lib/'])
    assert.throws(() => assertOwnDirectory(path), { code: 'forbidden' }, path);
  for (const path of ['/var/lib/twofold', '/run/twofold', '/tmp/x'])
    assert.doesNotThrow(() => assertOwnDirectory(path), path);
});

test('of the users’ records those go whose ids are ours, by the id that a name leads to', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tfs-'));
  try {
    const write = (name: string, text = '{}') => writeFileSync(join(directory, name), text);
    const [ours, theirs, half, foreign] = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(32));
    const link = (name: string, target: string) => symlinkSync(target, join(directory, name));
    for (const file of ['500.user', '500.group', '900.user', '900.group', 'somebody.user']) write(file);
    link(`${ours}.user`, '500.user');
    link(`${theirs}.user`, '900.user');
    link(`${half}.user`, '901.user'); // another daemon has not come to write it, or has just removed it
    link(`${foreign}.group`, '501.group');
    write('902.user', '{"uid":'); // cut short
    await removeUserRecords(directory, (id) => id >= 500 && id <= 599);
    assert.deepEqual(
      readdirSync(directory).sort(),
      ['900.group', '900.user', '902.user', `${theirs}.user`, `${half}.user`, 'somebody.user'].sort(),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
