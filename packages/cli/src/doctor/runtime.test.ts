import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openHoles, parseVersion } from './runtime.ts';

const ids = (version: readonly [number, number], changelog = '') =>
  openHoles(version, changelog).map((hole) => hole.id);

test('a version is told its holes, and a patched one is not', () => {
  assert.deepEqual(parseVersion('crun version 1.8.1\ncommit: f8a0'), [1, 8]);
  assert.equal(parseVersion('crun'), null);
  assert.deepEqual(ids([1, 8]), ['CVE-2026-30892', 'CVE-2026-47766']);
  assert.deepEqual(ids([1, 27]), ['CVE-2026-47766']);
  assert.deepEqual(ids([1, 28]), []);
  assert.deepEqual(ids([2, 0]), []);
  assert.deepEqual(ids([1, 8], 'crun (1.8.1-1+deb12u2)\n  * Fix CVE-2026-47766\n'), ['CVE-2026-30892']);
});
