// Owns the rows of switches and endpoints. Decides nothing: open.ts does.

import { join } from 'node:path';
import { isTwofoldError, type AdapterId, type ContainerId, type NetworkId } from '@twofold/contract';
import { ensureDescription, readDescription, writeDescription } from '../state/description.ts';
import { hostLinkName } from './plan.ts';
import type { Endpoint, Network } from './networks.ts';

/** What this room uses of the daemon's database (state/database.ts has this shape). */
export interface Database {
  run(sql: string, ...values: (string | number)[]): number;
  get<T>(sql: string, ...values: (string | number)[]): T | undefined;
  all<T>(sql: string, ...values: (string | number)[]): T[];
  transaction<T>(work: () => T, options?: { durable?: boolean }): T;
  afterCommit(when: 'remember' | 'tell', step: () => void): void;
  migrate(room: string, steps: readonly string[]): void;
}

export interface EndpointRow {
  readonly adapter: AdapterId;
  readonly network: NetworkId;
  readonly container: ContainerId;
  /** Of the interface inside. */
  readonly name: string;
  /** A number, see addresses.ts. */
  readonly address: number;
  readonly mac: string;
  readonly names: readonly string[];
}

export interface NetworkStore {
  /** All that `work` writes, or nothing. */
  together(work: () => void): void;
  networks(): Network[];
  insertNetwork(network: Network): void;
  deleteNetwork(id: NetworkId): void;
  endpoints(network?: NetworkId): EndpointRow[];
  endpointsOf(container: ContainerId): EndpointRow[];
  putEndpoint(row: EndpointRow): void;
  renameEndpoint(adapter: AdapterId, names: readonly string[]): void;
  deleteEndpoints(container: ContainerId): void;
  /** The address given out last on a switch. */
  lastAddress(network: NetworkId): number | null;
}

/** Step n leads from version n to n + 1 and is never edited. */
const migrations = [
  `
  CREATE TABLE networks (
    id TEXT PRIMARY KEY, name TEXT NOT NULL COLLATE NOCASE UNIQUE, driver TEXT NOT NULL, bridge TEXT NOT NULL, subnet TEXT NOT NULL,
    gateway TEXT NOT NULL, labels TEXT NOT NULL, internal INTEGER NOT NULL, built_in INTEGER NOT NULL, created TEXT NOT NULL, last_address INTEGER) STRICT;
  CREATE TABLE endpoints (
    container TEXT PRIMARY KEY, network TEXT NOT NULL REFERENCES networks (id), address INTEGER NOT NULL, mac TEXT NOT NULL, names TEXT NOT NULL,
    UNIQUE (network, address), UNIQUE (network, mac)) STRICT;
`,
  `
  -- A container's only adapter so far gets the container's GUID, so that its link keeps its name.
  ALTER TABLE networks ADD COLUMN ip_range TEXT NOT NULL DEFAULT '';
  ALTER TABLE networks ADD COLUMN options TEXT NOT NULL DEFAULT '{}';
  CREATE TABLE adapter_endpoints (
    adapter TEXT PRIMARY KEY, container TEXT NOT NULL, network TEXT NOT NULL REFERENCES networks (id), name TEXT NOT NULL, address INTEGER NOT NULL, mac TEXT NOT NULL, names TEXT NOT NULL,
    UNIQUE (network, address), UNIQUE (network, mac)) STRICT;
  INSERT INTO adapter_endpoints SELECT
    substr(container, 1, 8) || '-' || substr(container, 9, 4) || '-' || substr(container, 13, 4) || '-' || substr(container, 17, 4) || '-' || substr(container, 21, 12),
    container, network, 'eth0', address, mac, names FROM endpoints;
  DROP TABLE endpoints;
  ALTER TABLE adapter_endpoints RENAME TO endpoints;
  CREATE INDEX endpoints_of ON endpoints (container);
`,
];

type Row = Record<string, string | number | null>;

function toNetwork(row: Row): Network {
  return {
    id: row['id'] as NetworkId,
    name: String(row['name']),
    driver: row['driver'] as Network['driver'],
    bridge: String(row['bridge']),
    subnet: String(row['subnet']),
    gateway: String(row['gateway']),
    ipRange: String(row['ip_range']),
    options: JSON.parse(String(row['options'])) as Record<string, string>,
    labels: JSON.parse(String(row['labels'])) as Record<string, string>,
    internal: row['internal'] === 1,
    builtIn: row['built_in'] === 1,
    created: String(row['created']),
  };
}

function toEndpointRow(row: Row): EndpointRow {
  return {
    adapter: row['adapter'] as AdapterId,
    network: row['network'] as NetworkId,
    container: row['container'] as ContainerId,
    name: String(row['name']),
    address: Number(row['address']),
    mac: String(row['mac']),
    names: JSON.parse(String(row['names'])) as string[],
  };
}

/** networks.json below the data root: what `recover` makes the rows of. */
const descriptionVersion = 1;
const descriptionOf = (dataRoot: string): string => join(dataRoot, 'networks.json');

/** The switches that the description knows. */
export function describedNetworks(dataRoot: string): Network[] {
  return readDescription<Network[]>(descriptionOf(dataRoot), descriptionVersion) ?? [];
}

/** One that a power cut tore is written anew: the rows are the truth. */
function readOrNone(dataRoot: string): Network[] {
  try {
    return describedNetworks(dataRoot);
  } catch (error) {
    if (!isTwofoldError(error)) throw error;
    return [];
  }
}

/** Makes the tables where they lack. `dataRoot`: where the switches are described; null: nowhere. */
export function openNetworkStore(database: Database, dataRoot: string | null): NetworkStore {
  database.migrate('networks', migrations);
  const networks = () => database.all<Row>('SELECT * FROM networks ORDER BY rowid').map(toNetwork);
  /** Switches that a database from a backup does not know stay described, for `recover`. */
  const describable = (root: string, removed: NetworkId | null): Network[] => {
    const known = networks();
    const isOther = ({ id }: Network) => id !== removed && !known.some((network) => network.id === id);
    return [...known, ...readOrNone(root).filter(isOther)];
  };
  /** What a client was told of a switch outlives a power cut. */
  const durably = (removed: NetworkId | null, sql: string, ...values: (string | number)[]): void => {
    database.transaction(() => database.run(sql, ...values), { durable: true });
    if (dataRoot === null) return;
    database.afterCommit('tell', () =>
      writeDescription(descriptionOf(dataRoot), descriptionVersion, describable(dataRoot, removed), { durable: true }),
    );
  };
  if (dataRoot !== null) ensureDescription(descriptionOf(dataRoot), descriptionVersion, describable(dataRoot, null));
  return {
    together: (work) => database.transaction(work, { durable: true }),
    networks,
    insertNetwork: (n) =>
      durably(
        null,
        'INSERT INTO networks (id, name, driver, bridge, subnet, gateway, ip_range, options, labels, internal, built_in, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        n.id,
        n.name,
        n.driver,
        n.bridge,
        n.subnet,
        n.gateway,
        n.ipRange,
        JSON.stringify(n.options),
        JSON.stringify(n.labels),
        n.internal ? 1 : 0,
        n.builtIn ? 1 : 0,
        n.created,
      ),
    deleteNetwork: (id) => durably(id, 'DELETE FROM networks WHERE id = ?', id),
    endpoints: (network) =>
      (network === undefined
        ? database.all<Row>('SELECT * FROM endpoints ORDER BY address')
        : database.all<Row>('SELECT * FROM endpoints WHERE network = ? ORDER BY address', network)
      ).map(toEndpointRow),
    endpointsOf: (container) =>
      database.all<Row>('SELECT * FROM endpoints WHERE container = ? ORDER BY rowid', container).map(toEndpointRow),
    putEndpoint: (row) =>
      database.transaction(() => {
        database.run(
          `INSERT INTO endpoints (adapter, container, network, name, address, mac, names) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (adapter) DO UPDATE SET network = excluded.network, name = excluded.name, address = excluded.address, mac = excluded.mac, names = excluded.names`,
          row.adapter,
          row.container,
          row.network,
          row.name,
          row.address,
          row.mac,
          JSON.stringify(row.names),
        );
        database.run('UPDATE networks SET last_address = ? WHERE id = ?', row.address, row.network);
      }),
    renameEndpoint: (adapter, names) =>
      void database.run('UPDATE endpoints SET names = ? WHERE adapter = ?', JSON.stringify(names), adapter),
    deleteEndpoints: (container) => void database.run('DELETE FROM endpoints WHERE container = ?', container),
    lastAddress: (network) =>
      database.get<{ last_address: number | null }>('SELECT last_address FROM networks WHERE id = ?', network)
        ?.last_address ?? null,
  };
}

/** What a row means on the host. */
export function toEndpoint(
  row: EndpointRow,
  network: Network,
  linkPrefix: string,
  mtu: number,
  format: (address: number) => string,
): Endpoint {
  return {
    adapter: row.adapter,
    network: row.network,
    container: row.container,
    name: row.name,
    hostName: hostLinkName(linkPrefix, row.adapter),
    mac: row.mac,
    addresses: [`${format(row.address)}/${network.subnet.split('/')[1]}`],
    ...(network.internal ? {} : { gateway: network.gateway }),
    mtu,
  };
}
