import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, test } from 'node:test';
import { isTwofoldError } from '@twofold/contract';
import { openDatabase } from './database.ts';
import { lockDataRoot } from './lock.ts';

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'twofold-state-'))));
afterEach(() => rmSync(directory, { recursive: true }));

test('a transaction that throws leaves nothing behind', () => {
  using database = openDatabase(':memory:');
  database.migrate('test', ['CREATE TABLE t (a INTEGER)']);
  assert.throws(() =>
    database.transaction(() => {
      database.run('INSERT INTO t VALUES (1)');
      throw new Error('no');
    }),
  );
  assert.equal(database.all('SELECT * FROM t').length, 0);
});

test('migrations run once each, in order, and rooms do not disturb each other', () => {
  const path = join(directory, 'a.db');
  {
    using database = openDatabase(path);
    database.migrate('one', ['CREATE TABLE a (x INTEGER)']);
    database.migrate('two', ['CREATE TABLE b (x INTEGER)']);
    database.run('INSERT INTO a VALUES (7)');
  }
  using database = openDatabase(path);
  database.migrate('one', ['CREATE TABLE a (x INTEGER)', 'ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 3']);
  assert.deepEqual({ ...database.get<object>('SELECT * FROM a') }, { x: 7, y: 3 });
  assert.throws(() => database.migrate('one', []), /later version/);
});

test('what was deleted is not in the file any more, and nobody else may read it', () => {
  const path = join(directory, 'a.db');
  const fill = (database: ReturnType<typeof openDatabase>) => {
    database.migrate('test', ['CREATE TABLE t (a TEXT)']);
    database.run('INSERT INTO t VALUES (?)', 'PASSWORD=secret');
  };
  {
    using database = openDatabase(path);
    fill(database);
    for (const name of [path, `${path}-wal`, `${path}-shm`]) assert.equal(statSync(name).mode & 0o777, 0o600, name);
  }
  assert.ok(readFileSync(path).includes('PASSWORD=secret'), 'it is seen where it is');
  {
    using database = openDatabase(path);
    database.run('DELETE FROM t');
  }
  assert.ok(!readFileSync(path).includes('PASSWORD=secret'));
});

test('a second holder of a data root is refused, in another process too, and a dead one holds nothing', () => {
  {
    using _held = lockDataRoot(directory);
    assert.throws(
      () => lockDataRoot(directory),
      (error) => isTwofoldError(error, 'conflict') && error.message.includes(`process ${process.pid}`),
    );
    const script = `import { lockDataRoot } from ${JSON.stringify(new URL('./lock.ts', import.meta.url).href)}; try { lockDataRoot(${JSON.stringify(directory)}); } catch { process.exit(9); } process.kill(process.pid, 'SIGKILL');`;
    assert.equal(spawnSync(process.execPath, ['--input-type=module', '-e', script]).status, 9);
  }
  const script = `import { lockDataRoot } from ${JSON.stringify(new URL('./lock.ts', import.meta.url).href)}; lockDataRoot(${JSON.stringify(directory)}); process.kill(process.pid, 'SIGKILL');`;
  assert.equal(spawnSync(process.execPath, ['--input-type=module', '-e', script]).signal, 'SIGKILL');
  using _again = lockDataRoot(directory);
});
