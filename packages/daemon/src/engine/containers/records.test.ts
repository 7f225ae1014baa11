import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId } from '@twofold/contract';
import { openDatabase } from '../../state/database.ts';
import { ContainerRecords } from './records.ts';

/** A table as the first release made it. */
const firstForm =
  'CREATE TABLE containers (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, record TEXT NOT NULL) STRICT';
const idOf = (digit: string) => digit.repeat(64) as ContainerId;

test('a container that was made with one network has one adapter on it afterwards, under the GUID that its link is named by', () => {
  const database = openDatabase(':memory:');
  database.migrate('containers', [firstForm]);
  const network = {
    id: '2'.repeat(64),
    name: 'NAT',
    address: '10.88.0.7',
    prefixLength: 16,
    gateway: '10.88.0.1',
    mac: '02:42:0a:58:00:07',
    aliases: ['db'],
  };
  const insert = (id: ContainerId, name: string, rest: object) =>
    database.run(
      'INSERT INTO containers VALUES (?, ?, ?)',
      id,
      name,
      JSON.stringify({ id, name, restartCount: 3, ...rest }),
    );
  insert(idOf('a'), 'ran', { network, wantedNetwork: { mac: '02:42:0a:58:00:07' } });
  insert(idOf('b'), 'made', {
    network: { ...network, address: '', mac: '', aliases: [] },
    wantedNetwork: { address: '10.88.0.9' },
  });
  insert(idOf('c'), 'alone', { network: { ...network, name: 'none', address: '' }, wantedNetwork: {} });
  const records = new ContainerRecords(database, () => undefined);
  const on = { id: '2'.repeat(64), name: 'NAT' };
  const lease = {
    name: 'eth0',
    address: '10.88.0.7',
    prefixLength: 16,
    gateway: '10.88.0.1',
    mac: '02:42:0a:58:00:07',
  };
  const { network: _none, wantedNetwork: _neither, ...ran } = { ...records.need(idOf('a')) } as Record<string, unknown>;
  assert.deepEqual(ran, {
    id: idOf('a'),
    name: 'ran',
    restartCount: 3,
    networking: 'adapters',
    adapters: [
      {
        id: 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa',
        name: 'Network Adapter',
        network: on,
        address: '',
        mac: '02:42:0a:58:00:07',
        aliases: ['db'],
        lease,
      },
    ],
  });
  assert.deepEqual([_none, _neither], [undefined, undefined]);
  assert.deepEqual(
    records.need(idOf('b')).adapters.map((one) => [one.address, one.mac, one.lease]),
    [['10.88.0.9', '', null]],
  );
  assert.deepEqual([records.need(idOf('c')).networking, records.need(idOf('c')).adapters], ['none', []]);
});
