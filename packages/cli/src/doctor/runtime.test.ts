import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holes, openHoles, parseVersion } from './runtime.ts';

const known = [
  { id: 'CVE-1', fixedIn: [1, 27], what: 'one' },
  { id: 'CVE-2', fixedIn: [1, 28], what: 'another' },
] as const;
const ids = (version: readonly [number, number], changelog = '') =>
  openHoles(known, version, changelog).map((hole) => hole.id);

test('a version is told its holes, and a patched one is not', () => {
  assert.deepEqual(parseVersion('crun version 1.8.1\ncommit: f8a0'), [1, 8]);
  assert.equal(parseVersion('crun'), null);
  assert.deepEqual(ids([1, 8]), ['CVE-1', 'CVE-2']);
  assert.deepEqual(ids([1, 27]), ['CVE-2']);
  assert.deepEqual(ids([1, 28]), []);
  assert.deepEqual(ids([2, 0]), []);
  assert.deepEqual(ids([1, 8], 'crun (1.8.1-1+deb12u2)\n  * Fix CVE-2\n'), ['CVE-1']);
});

test('holes that do not hold for how the runtime is used are not told', () => {
  // Of exec, which is not the runtime's here; of an image's /dev, which the supervisor looks at before.
  for (const id of ['CVE-2026-30892', 'CVE-2026-47766']) assert.ok(!holes.some((hole) => hole.id === id));
});
