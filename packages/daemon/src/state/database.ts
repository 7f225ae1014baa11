// Owns the one SQLite file of the daemon: opening it, its format, transactions. Each room owns its tables and brings
// their migrations; nothing here knows what a row means. One writer: the process that holds state/lock.ts.

import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { TwofoldError } from '@twofold/contract';
import { Flusher } from './flusher.ts';
import { makePrivateFile } from './data-root.ts';

export type SqlValue = SQLInputValue;
export type SqlRow = Record<string, SQLOutputValue>;

/** Format of the file as a whole; a file with a higher one was written by a later Twofold and is refused. */
const fileFormat = 1;

/** The daemon's database. Statements are prepared once and kept. */
export class Database implements Disposable {
  readonly #sqlite: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  /** Makes room on a full disk; false when it can't. */
  readonly #makeRoom: () => boolean;
  /** Null: nothing of it outlives the process (tests). */
  readonly #flusher: Flusher | null;
  #depth = 0;
  #makingRoom = 0;
  /** The transaction under way waits for the disk. */
  #durable = false;
  /** What waits for the commit: changes of memory, then those who are told. */
  #committed: { readonly remember: (() => void)[]; readonly tell: (() => void)[] } = { remember: [], tell: [] };

  constructor(sqlite: DatabaseSync, makeRoom: () => boolean, flusher: Flusher | null = null) {
    this.#sqlite = sqlite;
    this.#makeRoom = makeRoom;
    this.#flusher = flusher;
  }

  /** Runs a statement that gives no rows; resolves to the number of rows changed. */
  run(sql: string, ...values: SqlValue[]): number {
    const changes = this.#withRoom(() => Number(this.#prepare(sql).run(...values).changes));
    if (this.#depth === 0) this.#flusher?.noteCommit();
    return changes;
  }

  /** The first row, or undefined. */
  get<T = SqlRow>(sql: string, ...values: SqlValue[]): T | undefined {
    return this.#prepare(sql).get(...values) as T | undefined;
  }

  all<T = SqlRow>(sql: string, ...values: SqlValue[]): T[] {
    return this.#prepare(sql).all(...values) as T[];
  }

  /**
   * Everything that `work` writes, or nothing. Synchronous: there is one connection, and an await inside would let
   * others' writes in. Survives the death of the daemon at any moment. `durable` waits for the disk, so that it
   * survives a power cut too: for rows that something is deleted by afterwards. Nested calls belong to the outer
   * transaction. On a full disk `work` may be done twice.
   */
  transaction<T>(work: () => T, options: { durable?: boolean } = {}): T {
    if (this.#depth > 0) {
      if (options.durable === true && !this.#durable)
        throw new TwofoldError('internal', 'A durable change is a part of a transaction that is not durable.');
      return work();
    }
    const result = this.#withRoom(() => this.#transaction(work, options));
    if (options.durable !== true) this.#flusher?.noteCommit();
    const { remember, tell } = this.#takeCommitted();
    for (const step of [...remember, ...tell]) guarded(step);
    return result;
  }

  /** All that has been committed is on the disk when it resolves; it holds nobody else up. */
  flushed(): Promise<void> {
    return this.#flusher?.flush() ?? Promise.resolve();
  }

  /**
   * What `work` writes makes room again: an end, a removal. It may use what is kept of the disk for that, and nothing
   * else may. Synchronous.
   */
  makingRoom<T>(work: () => T): T {
    this.#makingRoom++;
    try {
      return work();
    } finally {
      this.#makingRoom--;
    }
  }

  get inTransaction(): boolean {
    return this.#depth > 0;
  }

  /**
   * What follows from a commit, and from nothing else: first what is remembered of it, then those who are told. Left
   * out when the transaction is rolled back; done at once where there is none. A step that throws changes nothing for
   * the others, nor for the transaction, which is over.
   */
  afterCommit(when: 'remember' | 'tell', step: () => void): void {
    if (this.#depth > 0) this.#committed[when].push(step);
    else guarded(step);
  }

  #transaction<T>(work: () => T, options: { durable?: boolean }): T {
    this.#takeCommitted();
    this.#durable = options.durable === true;
    this.#depth++;
    try {
      if (this.#durable) this.#sqlite.exec('PRAGMA synchronous = FULL');
      this.#sqlite.exec('BEGIN IMMEDIATE');
      const result = work();
      this.#sqlite.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#sqlite.isTransaction) this.#sqlite.exec('ROLLBACK');
      throw error;
    } finally {
      this.#depth--;
      if (this.#durable) this.#sqlite.exec('PRAGMA synchronous = NORMAL');
    }
  }

  #takeCommitted(): { remember: (() => void)[]; tell: (() => void)[] } {
    const taken = this.#committed;
    this.#committed = { remember: [], tell: [] };
    return taken;
  }

  /**
   * Brings a room's tables to the present form. `steps` only ever grows: step n leads from version n to n + 1 and is
   * never edited.
   * @param room name of the room, `images`
   */
  migrate(room: string, steps: readonly string[]): void {
    const present = this.get<{ version: number }>('SELECT version FROM rooms WHERE name = ?', room)?.version ?? 0;
    if (present > steps.length)
      throw new TwofoldError('internal', `The tables of "${room}" were written by a later version of Twofold.`);
    for (const [index, step] of steps.entries()) {
      if (index < present) continue;
      this.transaction(() => {
        this.#sqlite.exec(step);
        this.run(
          'INSERT INTO rooms (name, version) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET version = excluded.version',
          room,
          index + 1,
        );
      });
    }
  }

  [Symbol.dispose](): void {
    this.#flusher?.[Symbol.dispose]();
    this.#statements.clear();
    if (this.#sqlite.isOpen) this.#sqlite.close();
  }

  /**
   * A write of its own (not a part of a transaction) that finds the disk full is tried once more when it makes room and
   * there was some for it.
   */
  #withRoom<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      if (this.#depth > 0 || !isFull(error)) throw error;
      if (this.#makingRoom > 0 && this.#makeRoom()) return this.#withRoom(write);
      throw new TwofoldError(
        'no-space',
        'The disk that holds the state is full: make room, or remove containers and images.',
        { cause: error },
      );
    }
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#sqlite.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/**
 * What the WAL takes of the disk from the start, and keeps. As long as it is in use up to there (SQLite begins it anew
 * after 4 MiB), a commit needs no room: the end of a container can be written down on a full disk.
 */
const walBytes = 8 << 20;

/**
 * Opens (or makes) the database. `:memory:` is for tests.
 * WAL with synchronous=NORMAL: a commit is a write without a wait for the disk; nothing is lost when the daemon dies,
 * and a power cut takes back the last commits at most, never a part of one. `makeRoom` is asked when the disk is full.
 */
export function openDatabase(path: string, makeRoom: () => boolean = () => false): Database {
  let sqlite: DatabaseSync | undefined;
  try {
    // The WAL takes the database's mode. What is deleted is overwritten: rows hold passwords.
    if (path !== ':memory:') makePrivateFile(path);
    sqlite = new DatabaseSync(path, { timeout: 5_000 });
    sqlite.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA journal_size_limit = ${walBytes}`,
    );
    const sick = sqlite.prepare('PRAGMA quick_check(1)').get() as { quick_check: string } | undefined;
    if (sick?.quick_check !== 'ok')
      throw Object.assign(new Error(`quick_check: ${sick?.quick_check}`), { errcode: 11 });
  } catch (cause) {
    sqlite?.close();
    if (isFull(cause) && makeRoom()) return openDatabase(path, makeRoom);
    if (isDamage(cause))
      throw new TwofoldError(
        'conflict',
        `The database ${path} is damaged. Put a good one in its place, or build a new one from what is on the disk: twofold recover`,
        { cause },
      );
    throw new TwofoldError('internal', `The database ${path} could not be opened.`, { cause });
  }
  const { user_version: found } = sqlite.prepare('PRAGMA user_version').get() as { user_version: number };
  if (found > fileFormat) {
    sqlite.close();
    throw new TwofoldError('unsupported', `The database ${path} was written by a later version of Twofold.`);
  }
  sqlite.exec(
    `PRAGMA user_version = ${fileFormat}; CREATE TABLE IF NOT EXISTS rooms (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT`,
  );
  if (path === ':memory:') return new Database(sqlite, makeRoom);
  allocateWal(`${path}-wal`, makeRoom);
  return new Database(sqlite, makeRoom, new Flusher(`${path}-wal`));
}

/** Zeros behind what is there: SQLite takes no frame for valid that does not carry the file's salt. */
function allocateWal(path: string, makeRoom: () => boolean): void {
  const wal = openSync(path, 'r+');
  try {
    const zeros = Buffer.alloc(1 << 20);
    for (let at = fstatSync(wal).size; at < walBytes;)
      at += writeSync(wal, zeros, 0, Math.min(zeros.length, walBytes - at), at);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    if (makeRoom()) allocateWal(path, makeRoom); // otherwise it goes without
  } finally {
    closeSync(wal);
  }
}

/** A mistake of ours in one step is told as such (daemon.ts), and makes nothing that is committed look as failed. */
function guarded(step: () => void): void {
  try {
    step();
  } catch (error) {
    void Promise.reject(error);
  }
}

/** SQLITE_FULL, or SQLITE_IOERR of a write that the disk refused. */
function isFull(error: unknown): boolean {
  const { errcode } = error as { errcode?: number };
  return errcode !== undefined && ((errcode & 0xff) === 13 || (errcode & 0xff) === 10);
}

/** SQLITE_CORRUPT, SQLITE_NOTADB. */
function isDamage(error: unknown): boolean {
  const { errcode } = error as { errcode?: number };
  return errcode !== undefined && ((errcode & 0xff) === 11 || (errcode & 0xff) === 26);
}
