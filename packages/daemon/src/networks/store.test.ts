import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ContainerId, NetworkId } from '@twofold/contract';
import { openDatabase } from '../state/database.ts';
import type { Network } from './networks.ts';
import { describedNetworks, openNetworkStore } from './store.ts';

/** Tables as the first release made them. */
const firstForm = `
  CREATE TABLE networks (
    id TEXT PRIMARY KEY, name TEXT NOT NULL COLLATE NOCASE UNIQUE, driver TEXT NOT NULL, bridge TEXT NOT NULL, subnet TEXT NOT NULL,
    gateway TEXT NOT NULL, labels TEXT NOT NULL, internal INTEGER NOT NULL, built_in INTEGER NOT NULL, created TEXT NOT NULL, last_address INTEGER) STRICT;
  CREATE TABLE endpoints (
    container TEXT PRIMARY KEY, network TEXT NOT NULL REFERENCES networks (id), address INTEGER NOT NULL, mac TEXT NOT NULL, names TEXT NOT NULL,
    UNIQUE (network, address), UNIQUE (network, mac)) STRICT;`;

test('switches and the endpoint of a container that runs over an upgrade are kept, under the name that its link has', () => {
  const database = openDatabase(':memory:');
  database.migrate('networks', [firstForm]);
  database.run(
    "INSERT INTO networks VALUES ('n', 'NAT', 'bridge', 'tf0', '10.88.0.0/16', '10.88.0.1', '{}', 0, 1, '2026-01-01T00:00:00.000Z', 167)",
  );
  const container = '0123456789abcdef'.repeat(4) as ContainerId;
  database.run('INSERT INTO endpoints VALUES (?, ?, ?, ?, ?)', container, 'n', 167, '02:42:0a:58:00:07', '["web"]');
  const store = openNetworkStore(database, null);
  assert.deepEqual(
    store.networks().map(({ name, ipRange, options }) => ({ name, ipRange, options })),
    [{ name: 'NAT', ipRange: '', options: {} }],
  );
  assert.deepEqual(store.endpointsOf(container), [
    {
      adapter: '01234567-89ab-cdef-0123-456789abcdef',
      container,
      network: 'n',
      name: 'eth0',
      address: 167,
      mac: '02:42:0a:58:00:07',
      names: ['web'],
    },
  ]);
});

test('switches are described on disk, also those that an older database does not know; what is removed is not', () => {
  const root = mkdtempSync(join(tmpdir(), 'twofold-networks-'));
  try {
    const open = () => openNetworkStore(openDatabase(':memory:'), root);
    const described = () => describedNetworks(root).map(({ id }) => id as string);
    const network = (id: string): Network => ({
      id: id as NetworkId,
      name: id,
      driver: 'bridge',
      bridge: `tf${id}`,
      subnet: '10.88.0.0/16',
      gateway: '10.88.0.1',
      ipRange: '',
      options: {},
      labels: {},
      internal: false,
      builtIn: false,
      created: '',
    });
    const first = open();
    first.insertNetwork(network('a'));
    first.insertNetwork(network('b'));
    first.deleteNetwork('b' as NetworkId);
    assert.deepEqual(described(), ['a']);
    open().insertNetwork(network('c'));
    assert.deepEqual(described(), ['c', 'a']);
    writeFileSync(join(root, 'networks.json'), 'torn');
    open();
    assert.deepEqual(described(), []);
  } finally {
    rmSync(root, { recursive: true });
  }
});
