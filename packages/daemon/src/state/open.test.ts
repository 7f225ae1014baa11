import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { isTwofoldError } from '@twofold/contract';
import { openOrReplaceState, openState } from './open.ts';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'twofold-open-'))));
afterEach(() => rmSync(root, { recursive: true }));

const never = () => false;
const database = () => join(root, 'state.db');
const stamp = () => readFileSync(join(root, 'identity'), 'utf8').trim();
/** A first start that wrote something. */
function begin(): string {
  using state = openState(root, never);
  state.database.migrate('test', ['CREATE TABLE t (a INTEGER)']);
  state.database.run('INSERT INTO t VALUES (7)');
  return state.identity;
}
const replace = () => {
  const moved: string[] = [];
  using state = openOrReplaceState(root, (path) => {
    moved.push(path);
    rmSync(path);
  });
  return { identity: state.identity, replaced: state.replaced, moved };
};

test('a data root keeps its identity, and one of an earlier version is given the stamp of its database', () => {
  const identity = begin();
  assert.equal(stamp(), identity);
  rmSync(join(root, 'identity'));
  assert.equal(begin(), identity);
  assert.equal(stamp(), identity);
});

test('an empty data root is a new one; one that holds something is refused without its database', () => {
  mkdirSync(join(root, 'containers'));
  begin();
  for (const name of readdirSync(root)) rmSync(join(root, name), { recursive: true });
  mkdirSync(join(root, 'layers'));
  writeFileSync(join(root, 'layers', 'one'), '');
  assert.throws(
    () => openState(root, never),
    (error) => isTwofoldError(error, 'conflict'),
  );
  assert.deepEqual(readdirSync(root), ['layers'], 'nothing has been made');
});

test('a damaged database is refused, and replaced by an empty one of the same identity when that is asked for', () => {
  const identity = begin();
  for (const damage of [() => truncateSync(database(), 5000), () => writeFileSync(database(), 'x'.repeat(9000))]) {
    damage();
    assert.throws(
      () => openState(root, never),
      (error) => isTwofoldError(error, 'conflict') && error.message.includes('twofold recover'),
    );
    assert.deepEqual(replace(), { identity, replaced: true, moved: [database()] });
  }
  begin();
  assert.deepEqual(replace(), { identity, replaced: false, moved: [] }, 'one that is whole stays');
});

test('a database of a later version is neither opened nor replaced', () => {
  begin();
  {
    using sqlite = new DatabaseSync(database());
    sqlite.exec('PRAGMA user_version = 99');
  }
  assert.throws(
    () => replace(),
    (error) => isTwofoldError(error, 'unsupported'),
  );
});
