import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, test } from 'node:test';
import { isTwofoldError } from '@twofold/contract';
import { openDatabase } from './database.ts';
import { FillingDisk } from './filling-disk.ts';
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

test('what follows from a transaction follows its commit: memory first, then who is told; and nothing where it is rolled back', async () => {
  using database = openDatabase(':memory:');
  database.migrate('test', ['CREATE TABLE t (a INTEGER)']);
  const done: string[] = [];
  const rows = () => database.all('SELECT * FROM t').length;
  const change = () =>
    database.transaction(() => {
      database.afterCommit('tell', () => done.push(`told, ${rows()} rows`));
      database.run('INSERT INTO t VALUES (1)');
      database.transaction(() => database.afterCommit('remember', () => done.push('remembered')));
    });
  assert.throws(() =>
    database.transaction(() => {
      change();
      throw new Error('no');
    }),
  );
  assert.deepEqual(done, []);
  change();
  assert.deepEqual(done, ['remembered', 'told, 1 rows']);
});

test('a listener that throws makes no committed change look as failed, and keeps nobody else from being told', () => {
  const script = `
    import { openDatabase } from ${JSON.stringify(new URL('./database.ts', import.meta.url).href)};
    process.on('unhandledRejection', (error) => console.log(error.message));
    const database = openDatabase(':memory:');
    database.transaction(() => {
      database.afterCommit('tell', () => { throw new Error('a mistake'); });
      database.afterCommit('tell', () => console.log('told'));
    });
    console.log('committed');`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.equal(stdout, 'told\ncommitted\na mistake\n');
});

test('a change that must survive a power cut is never a part of one that need not', () => {
  using database = openDatabase(':memory:');
  assert.throws(
    () => database.transaction(() => database.transaction(() => undefined, { durable: true })),
    (error) => isTwofoldError(error, 'internal'),
  );
  assert.equal(
    database.transaction(() => database.transaction(() => 'done', { durable: true }), { durable: true }),
    'done',
  );
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

test('what is kept of the disk is for writes that make room', () => {
  const disk = new FillingDisk();
  let kept = true;
  const giveUp = () => {
    const was = kept;
    kept = false;
    return was;
  };
  using database = disk.open(join(directory, 'a.db'), giveUp);
  database.migrate('test', ['CREATE TABLE t (a INTEGER)']);
  disk.isFull = () => kept;
  const insert = () => database.run('INSERT INTO t VALUES (1)');
  for (const write of [insert, () => database.transaction(insert)])
    assert.throws(write, (error) => isTwofoldError(error, 'no-space'));
  assert.equal(kept, true);
  database.makingRoom(() => database.transaction(insert));
  assert.equal(kept, false);
  assert.equal(database.all('SELECT * FROM t').length, 1);
});
