// Owns a disk that fills up under a database, for tests: writes are counted, and those that the test names fail as on a
// full disk. Nothing of the host is touched beyond the file.

import { DatabaseSync } from 'node:sqlite';
import { Database, openDatabase } from './database.ts';

/** SQLITE_FULL. */
const full = Object.assign(new Error('database or disk is full'), { errcode: 13, code: 'ERR_SQLITE_ERROR' });

export class FillingDisk {
  /** Statements that wrote, or would have; a commit is one. */
  writes = 0;
  /** Whether the n-th of them (from 1) fails. */
  isFull: (n: number) => boolean = () => false;

  /** The database at `path` as openDatabase gives it, on this disk. */
  open(path: string, makeRoom: () => boolean = () => false): Database {
    openDatabase(path)[Symbol.dispose]();
    return new Database(new Sqlite(path, this), makeRoom);
  }

  /** Before a write. */
  count(): void {
    this.writes += 1;
    if (this.isFull(this.writes)) throw full;
  }
}

class Sqlite extends DatabaseSync {
  readonly #disk: FillingDisk;

  constructor(path: string, disk: FillingDisk) {
    super(path);
    this.#disk = disk;
    super.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF');
  }

  override exec(sql: string): void {
    if (sql === 'COMMIT') this.#disk.count();
    super.exec(sql);
  }

  override prepare(sql: string) {
    const statement = super.prepare(sql);
    const run = statement.run.bind(statement) as typeof statement.run;
    statement.run = ((...values: Parameters<typeof run>) => {
      this.#disk.count();
      return run(...values);
    }) as typeof run;
    return statement;
  }
}
