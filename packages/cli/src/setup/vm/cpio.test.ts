import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { writeCpio } from './cpio.ts';

const archive = () =>
  writeCpio([
    { path: 'dev', kind: 'directory', mode: 0o755 },
    { path: 'dev/console', kind: 'character-device', mode: 0o600, major: 5, minor: 1 },
    { path: 'init', kind: 'file', mode: 0o755, data: Buffer.from('12345') },
  ]);

test('two archives of the same entries are the same bytes', () => {
  assert.deepEqual(archive(), archive());
});

test('every member starts on a multiple of four and the archive ends with its trailer', () => {
  const bytes = archive().toString('latin1');
  for (const at of [...bytes.matchAll(/070701/g)].map((match) => match.index)) assert.equal(at % 4, 0);
  assert.match(bytes, /TRAILER!!!\0+$/);
});

test('cpio reads it, where there is one', (t) => {
  const cpio = spawnSync('cpio', ['-tv', '--numeric-uid-gid', '--quiet'], { input: archive() });
  if (cpio.error !== undefined) return t.skip('no cpio on this machine');
  assert.match(cpio.stdout.toString(), /crw-------.* 5, +1 .*dev\/console\n-rwxr-xr-x.* 5 .*init\n/);
});
