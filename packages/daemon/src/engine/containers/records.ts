// Owns the table of containers and its copy in memory: reading is from memory, which follows the commit of a change
// (Room.together). Does not decide what a container may do (lifecycle.ts) nor tell anybody of it (events.ts).

import { TwofoldError, type ContainerId } from '@twofold/contract';
import type { Database } from '../../state/database.ts';
import type { ContainerRecord } from '../engine.ts';

/** What is kept of a container beyond what the front door sees. */
export interface StoredContainer extends ContainerRecord {
  /** A person stopped it: `unless-stopped` leaves it so. */
  readonly stoppedByUser: boolean;
}

/** Step n leads from version n to n + 1 and is never edited. */
const migrations = [
  'CREATE TABLE containers (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, record TEXT NOT NULL) STRICT',
  `
  -- One network for a container becomes a list of adapters. The first has the container's GUID, as its endpoint has (networks/store.ts).
  UPDATE containers SET record = json_remove(json_set(record,
    '$.networking', CASE record->>'$.network.name' WHEN 'none' THEN 'none' WHEN 'host' THEN 'host' ELSE 'adapters' END,
    '$.adapters', CASE WHEN record->>'$.network' IS NULL OR record->>'$.network.name' IN ('none', 'host') THEN json('[]') ELSE json_array(json_object(
      'id', substr(id, 1, 8) || '-' || substr(id, 9, 4) || '-' || substr(id, 13, 4) || '-' || substr(id, 17, 4) || '-' || substr(id, 21, 12),
      'name', 'Network Adapter', 'network', json_object('id', record->>'$.network.id', 'name', record->>'$.network.name'),
      'address', coalesce(record->>'$.wantedNetwork.address', ''), 'mac', coalesce(record->>'$.wantedNetwork.mac', ''), 'aliases', json(coalesce(record->'$.network.aliases', '[]')),
      'lease', CASE record->>'$.network.address' WHEN '' THEN NULL ELSE json_object('name', 'eth0', 'address', record->>'$.network.address',
        'prefixLength', record->>'$.network.prefixLength', 'gateway', record->>'$.network.gateway', 'mac', record->>'$.network.mac') END)) END),
    '$.network', '$.wantedNetwork')`,
];

export class ContainerRecords {
  readonly #database: Database;
  readonly #describe: (after: StoredContainer, before: StoredContainer | null) => void;
  readonly #byId = new Map<ContainerId, StoredContainer>();
  readonly #byName = new Map<string, ContainerId>();

  /** `describe` is told of what is new or changed, after the commit. */
  constructor(database: Database, describe: (after: StoredContainer, before: StoredContainer | null) => void) {
    this.#database = database;
    this.#describe = describe;
    database.migrate('containers', migrations);
    for (const row of database.all<{ record: string }>('SELECT record FROM containers ORDER BY rowid'))
      this.#remember(JSON.parse(row.record) as StoredContainer);
  }

  get(id: ContainerId): StoredContainer | undefined {
    return this.#byId.get(id);
  }

  /** The record of a container that is known to exist, since its queue or its id came from one. */
  need(id: ContainerId): StoredContainer {
    const record = this.#byId.get(id);
    if (record === undefined) throw new TwofoldError('container-not-found', `No such container: ${id}`);
    return record;
  }

  /** In order of creation. */
  all(): StoredContainer[] {
    return [...this.#byId.values()];
  }

  named(name: string): ContainerId | undefined {
    return this.#byName.get(name);
  }

  /** By name, id, GUID or unique prefix, as Engine.find describes. */
  find(reference: string): StoredContainer {
    const name = reference.replace(/^\//, '');
    const exact = this.#byName.get(name) ?? (name as ContainerId);
    const found = this.#byId.get(exact);
    if (found !== undefined) return found;
    const digits = name.replaceAll('-', '').toLowerCase();
    if (/^[0-9a-f]{1,64}$/.test(digits)) {
      const fitting = [...this.#byId.keys()].filter((id) => id.startsWith(digits));
      if (fitting.length === 1) return this.need(fitting[0]!);
      if (fitting.length > 1)
        throw new TwofoldError(
          'ambiguous-prefix',
          `Multiple containers found with the prefix ${reference}; give more digits of the id.`,
        );
    }
    throw new TwofoldError('container-not-found', `No such container: ${reference}`);
  }

  /** Throws `name-taken`. */
  insert(record: StoredContainer): void {
    this.#refuseTaken(record.name, record.id);
    this.#database.run(
      'INSERT INTO containers (id, name, record) VALUES (?, ?, ?)',
      record.id,
      record.name,
      JSON.stringify(record),
    );
    this.#database.afterCommit('remember', () => this.#remember(record));
    this.#database.afterCommit('tell', () => this.#describe(record, null));
  }

  /** Gives the container as it is after the commit. */
  change(id: ContainerId, change: Partial<Omit<StoredContainer, 'id'>>): StoredContainer {
    const before = this.need(id);
    const after = { ...before, ...change };
    if (after.name !== before.name) this.#refuseTaken(after.name, id);
    this.#database.run(
      'UPDATE containers SET name = ?, record = ? WHERE id = ?',
      after.name,
      JSON.stringify(after),
      id,
    );
    this.#database.afterCommit('remember', () => {
      this.#byName.delete(before.name);
      this.#remember(after);
    });
    this.#database.afterCommit('tell', () => this.#describe(after, before));
    return after;
  }

  delete(id: ContainerId): void {
    const { name } = this.need(id);
    this.#database.run('DELETE FROM containers WHERE id = ?', id);
    this.#database.afterCommit('remember', () => {
      this.#byId.delete(id);
      this.#byName.delete(name);
    });
  }

  #remember(record: StoredContainer): void {
    this.#byId.set(record.id, record);
    this.#byName.set(record.name, record.id);
  }

  #refuseTaken(name: string, id: ContainerId): void {
    const holder = this.#byName.get(name);
    if (holder === undefined || holder === id) return;
    throw new TwofoldError(
      'name-taken',
      `Conflict. The container name "/${name}" is already in use by container "${holder}". You have to remove (or rename) that container to be able to reuse that name.`,
    );
  }
}
