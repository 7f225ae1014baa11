import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertOwnDirectory, mountsBelow } from './sweep.ts';

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
