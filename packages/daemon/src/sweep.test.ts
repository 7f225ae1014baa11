import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { defaults } from './settings.ts';
import { isDataRootEntry } from './state/data-root.ts';
import { assertOwnDirectory, mountsBelow, ownShare, removeRoot, removeUserRecords } from './sweep.ts';

process.env['TWOFOLD_REGISTER'] = join(tmpdir(), `twofold-test-register-${process.pid}`);

test('mounts below the roots are unmounted from the inside out, others and a root that is one left alone', () => {
  const mountinfo = [
    '1 0 8:1 / / rw',
    '2 1 0:5 / /run/twofold/sb/a rw',
    '3 2 0:6 / /run/twofold/sb/a/root\\040fs rw',
    '4 1 0:7 / /run/twofoldish rw',
    '5 1 0:8 / /var/lib/twofold rw',
  ].join('\n');
  assert.deepEqual(mountsBelow(mountinfo, ['/run/twofold', '/var/lib/twofold']), [
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

test('a data root goes with what is Twofold’s in it, and what is not stays where it is', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tfs-'));
  try {
    const root = join(directory, 'root');
    const alias = join(directory, 'alias');
    for (const name of ['images', 'layers', 'mine']) mkdirSync(join(root, name), { recursive: true });
    for (const name of ['state.db', 'state.db-wal', 'state.db.bak', 'identity.new'])
      writeFileSync(join(root, name), '');
    symlinkSync(root, alias);
    assert.deepEqual(await removeRoot(alias, isDataRootEntry), [
      `${alias} stays: it has files that are not Twofold's ("mine", "state.db.bak").`,
    ]);
    assert.deepEqual(readdirSync(root), ['mine', 'state.db.bak']);
    for (const name of readdirSync(root)) rmSync(join(root, name), { recursive: true });
    assert.deepEqual(await removeRoot(alias, isDataRootEntry), []);
    assert.deepEqual(readdirSync(directory), []);
    assert.deepEqual(await removeRoot(alias, isDataRootEntry), []);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a directory in which no daemon has begun is not purged', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tfs-'));
  try {
    const dataRoot = join(directory, 'site');
    const settings = { ...defaults, dataRoot, runRoot: join(directory, 'run') };
    await ownShare(settings); // there is none
    mkdirSync(join(dataRoot, 'images'), { recursive: true });
    await assert.rejects(ownShare(settings), { code: 'forbidden' });
    writeFileSync(join(dataRoot, 'lock.db'), '');
    await ownShare(settings);
    assert.ok(existsSync(join(dataRoot, 'images')));
  } finally {
    rmSync(directory, { recursive: true });
  }
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
