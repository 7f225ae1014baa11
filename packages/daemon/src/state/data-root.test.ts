import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeDataRoot } from './data-root.ts';

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

test('a directory with other files becomes no data root, and nothing in it changes', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tfd-'));
  try {
    const root = join(directory, 'home');
    mkdirSync(join(root, 'images'), { recursive: true, mode: 0o755 });
    writeFileSync(join(root, 'letter'), '', { mode: 0o644 });
    assert.throws(() => makeDataRoot(root), { code: 'conflict', message: /\("letter"\)/ });
    assert.deepEqual([root, join(root, 'images'), join(root, 'letter')].map(modeOf), ['755', '755', '644']);
    writeFileSync(join(root, 'lock.db'), '', { mode: 0o644 });
    makeDataRoot(root);
    const paths = [root, join(root, 'images'), join(root, 'lock.db'), join(root, 'letter')];
    assert.deepEqual(paths.map(modeOf), ['700', '700', '600', '644']);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a disk of its own, an empty directory and none become data roots', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tfd-'));
  try {
    mkdirSync(join(directory, 'disk', 'lost+found'), { recursive: true });
    mkdirSync(join(directory, 'empty'));
    for (const name of ['disk', 'empty', 'new']) {
      makeDataRoot(join(directory, name));
      assert.equal(modeOf(join(directory, name)), '700');
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
