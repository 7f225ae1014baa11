// tools/launch.mjs as a person meets it: with the machine's own Node, without root, with a script that isn't there.

import assert from 'node:assert/strict';
import { existsSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { command } from '../support/command.ts';

const repository = join(import.meta.dirname, '../..');
const launch = join(repository, 'tools/launch.mjs');
const systemNode = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => existsSync(path)) ?? process.execPath;

test('a script runs on a Node that is new enough, and its exit code comes through', async () => {
  const good = await command(systemNode, [launch, 'packages/cli/src/main.ts', '--version']);
  assert.deepEqual([good.code, good.stdout], [0, '0.1.0\n'], good.stderr);
  const bad = await command(systemNode, [launch, 'packages/cli/src/main.ts', 'nonsense']);
  assert.equal(bad.code, 1);
});

test('without root, set-up says what it needs and does nothing', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('needs root to become someone else');
  const node = process.execPath;
  const { code, stderr } = await command('setpriv', [
    '--reuid=65534',
    '--regid=65534',
    '--clear-groups',
    node,
    launch,
    'packages/cli/src/main.ts',
    'setup',
  ]);
  assert.equal(code, 1);
  assert.match(stderr, /needs root/);
});

test('a script that is not there is named', async () => {
  const { code, stderr } = await command(systemNode, [launch, 'no/such.ts']);
  assert.equal(code, 1);
  assert.match(stderr, /no\/such\.ts/);
});

test('this test itself runs on a Node that is new enough', () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  assert.ok(major > 24 || (major === 24 && minor >= 15), readlinkSync('/proc/self/exe'));
});
