// Owns the bond between a data root and its database: the stamp `identity` in the one must name the other. Without it,
// a database that was lost, moved away or mixed up would look like a data root in which nothing belongs to anybody.

import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { isTwofoldError, newId, TwofoldError, type ContainerId } from '@twofold/contract';
import { openDatabase, type Database } from './database.ts';
import { writeDurably } from './description.ts';

export interface State extends Disposable {
  readonly database: Database;
  /** The engine's id, made once for a data root. */
  readonly identity: string;
}

const databaseName = 'state.db';
const stampName = 'identity';
/** Directories whose content only rows give a meaning. */
const contents = ['containers', 'layers', join('blobs', 'sha256')];

/** Opens the database that belongs to the data root; throws `conflict`, and changes nothing, where it isn't there. */
export function openState(dataRoot: string, makeRoom: () => boolean): State {
  const path = join(dataRoot, databaseName);
  const stamp = readStamp(dataRoot);
  if (!existsSync(path) && (stamp !== null || holdsSomething(dataRoot)))
    throw refusal(`The database ${path} does not exist`);
  const database = openDatabase(path, makeRoom);
  try {
    const known = identityOf(database);
    if (known === null && (stamp !== null || holdsSomething(dataRoot))) throw refusal(`The database ${path} is empty`);
    if (known !== null && stamp !== null && stamp !== known)
      throw refusal(`The database ${path} belongs to another data root (${known.slice(0, 12)})`);
    const identity = known ?? setIdentity(database, newId<ContainerId>());
    // A data root of an earlier version has none; nor has one whose first start was cut short here.
    if (stamp === null) writeStamp(dataRoot, identity);
    return { database, identity, [Symbol.dispose]: () => database[Symbol.dispose]() };
  } catch (error) {
    database[Symbol.dispose]();
    throw error;
  }
}

/**
 * For `recover`: the database as it is where it is whole and the right one; otherwise an empty one of the same
 * identity, and what stood in its place is moved by `moveAway`.
 */
export function openOrReplaceState(dataRoot: string, moveAway: (path: string) => void): State & { replaced: boolean } {
  try {
    return { ...openState(dataRoot, () => false), replaced: false };
  } catch (error) {
    // Neither one of a later version nor a disk that can't be read makes it useless.
    if (!isTwofoldError(error, 'conflict')) throw error;
  }
  for (const suffix of ['', '-wal', '-shm']) {
    const path = join(dataRoot, databaseName + suffix);
    if (existsSync(path)) moveAway(path);
  }
  const fresh = join(dataRoot, `${databaseName}.new`);
  const identity = readStamp(dataRoot) ?? newId<ContainerId>();
  {
    using database = openDatabase(fresh);
    setIdentity(database, identity);
  }
  writeStamp(dataRoot, identity);
  renameSync(fresh, join(dataRoot, databaseName));
  return { ...openState(dataRoot, () => false), replaced: true };
}

const migrations = ['CREATE TABLE identity (id TEXT NOT NULL) STRICT'];

function identityOf(database: Database): string | null {
  database.migrate('identity', migrations);
  return database.get<{ id: string }>('SELECT id FROM identity')?.id ?? null;
}

/** On the disk before the stamp is. */
function setIdentity(database: Database, identity: string): string {
  database.migrate('identity', migrations);
  database.transaction(() => database.run('INSERT INTO identity (id) VALUES (?)', identity), { durable: true });
  return identity;
}

function readStamp(dataRoot: string): string | null {
  try {
    return readFileSync(join(dataRoot, stampName), 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function writeStamp(dataRoot: string, identity: string): void {
  writeDurably(join(dataRoot, stampName), `${identity}\n`);
}

function holdsSomething(dataRoot: string): boolean {
  return contents.some((name) => {
    const directory = join(dataRoot, name);
    return existsSync(directory) && readdirSync(directory).length > 0;
  });
}

function refusal(found: string): TwofoldError {
  return new TwofoldError(
    'conflict',
    `${found}. Nothing has been deleted: containers and images are still in the data root. Put the right database back, or build a new one from what is on the disk: twofold recover`,
  );
}
