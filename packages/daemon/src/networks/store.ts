// Owns the rows of switches and endpoints. Decides nothing: open.ts does.

import type { ContainerId, NetworkId } from '@twofold/contract';
import { hostLinkName } from './plan.ts';
import type { Endpoint, Network } from './networks.ts';

/** What this room uses of the daemon's database (state/database.ts has this shape). */
export interface Database {
  run(sql: string, ...values: (string | number)[]): number;
  get<T>(sql: string, ...values: (string | number)[]): T | undefined;
  all<T>(sql: string, ...values: (string | number)[]): T[];
  transaction<T>(work: () => T): T;
  migrate(room: string, steps: readonly string[]): void;
}

export interface EndpointRow {
  readonly network: NetworkId;
  readonly container: ContainerId;
  /** A number, see addresses.ts. */
  readonly address: number;
  readonly mac: string;
  readonly names: readonly string[];
}

export interface NetworkStore {
  networks(): Network[];
  insertNetwork(network: Network): void;
  deleteNetwork(id: NetworkId): void;
  endpoints(network?: NetworkId): EndpointRow[];
  endpointOf(container: ContainerId): EndpointRow | null;
  putEndpoint(row: EndpointRow): void;
  deleteEndpoint(container: ContainerId): void;
  /** The address given out last on a switch. */
  lastAddress(network: NetworkId): number | null;
}

/** Step n leads from version n to n + 1 and is never edited. */
const migrations = [`
  CREATE TABLE networks (
    id TEXT PRIMARY KEY, name TEXT NOT NULL COLLATE NOCASE UNIQUE, driver TEXT NOT NULL, bridge TEXT NOT NULL, subnet TEXT NOT NULL,
    gateway TEXT NOT NULL, labels TEXT NOT NULL, internal INTEGER NOT NULL, built_in INTEGER NOT NULL, created TEXT NOT NULL, last_address INTEGER) STRICT;
  CREATE TABLE endpoints (
    container TEXT PRIMARY KEY, network TEXT NOT NULL REFERENCES networks (id), address INTEGER NOT NULL, mac TEXT NOT NULL, names TEXT NOT NULL,
    UNIQUE (network, address), UNIQUE (network, mac)) STRICT;
`];

type Row = Record<string, string | number | null>;

function toNetwork(row: Row): Network {
  return {
    id: row['id'] as NetworkId, name: String(row['name']), driver: row['driver'] as Network['driver'], bridge: String(row['bridge']), subnet: String(row['subnet']),
    gateway: String(row['gateway']), labels: JSON.parse(String(row['labels'])) as Record<string, string>, internal: row['internal'] === 1, builtIn: row['built_in'] === 1, created: String(row['created']),
  };
}

function toEndpointRow(row: Row): EndpointRow {
  return { network: row['network'] as NetworkId, container: row['container'] as ContainerId, address: Number(row['address']), mac: String(row['mac']), names: JSON.parse(String(row['names'])) as string[] };
}

/** Makes the tables where they lack. */
export function openNetworkStore(database: Database): NetworkStore {
  database.migrate('networks', migrations);
  return {
    networks: () => database.all<Row>('SELECT * FROM networks ORDER BY rowid').map(toNetwork),
    insertNetwork: (n) => void database.run('INSERT INTO networks (id, name, driver, bridge, subnet, gateway, labels, internal, built_in, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      n.id, n.name, n.driver, n.bridge, n.subnet, n.gateway, JSON.stringify(n.labels), n.internal ? 1 : 0, n.builtIn ? 1 : 0, n.created),
    deleteNetwork: (id) => void database.run('DELETE FROM networks WHERE id = ?', id),
    endpoints: (network) => (network === undefined ? database.all<Row>('SELECT * FROM endpoints ORDER BY address') : database.all<Row>('SELECT * FROM endpoints WHERE network = ? ORDER BY address', network)).map(toEndpointRow),
    endpointOf: (container) => {
      const row = database.get<Row>('SELECT * FROM endpoints WHERE container = ?', container);
      return row === undefined ? null : toEndpointRow(row);
    },
    putEndpoint: (row) => database.transaction(() => {
      database.run(`INSERT INTO endpoints (container, network, address, mac, names) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (container) DO UPDATE SET network = excluded.network, address = excluded.address, mac = excluded.mac, names = excluded.names`, row.container, row.network, row.address, row.mac, JSON.stringify(row.names));
      database.run('UPDATE networks SET last_address = ? WHERE id = ?', row.address, row.network);
    }),
    deleteEndpoint: (container) => void database.run('DELETE FROM endpoints WHERE container = ?', container),
    lastAddress: (network) => database.get<{ last_address: number | null }>('SELECT last_address FROM networks WHERE id = ?', network)?.last_address ?? null,
  };
}

/** What a row means on the host. */
export function toEndpoint(row: EndpointRow, network: Network, linkPrefix: string, mtu: number, format: (address: number) => string): Endpoint {
  return {
    network: row.network, container: row.container, name: 'eth0', hostName: hostLinkName(linkPrefix, row.container), mac: row.mac,
    addresses: [`${format(row.address)}/${network.subnet.split('/')[1]}`], ...(network.internal ? {} : { gateway: network.gateway }), mtu,
  };
}
