// Owns `twofold recover`: makes the rows of containers, images and switches again from what lies in the data root, when
// the database is lost, damaged or older than the rest. Deletes nothing; what a row is left of stays as it is.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TwofoldError, type ContainerId } from '@twofold/contract';
import { readDescribed, type DescribedContainer } from './engine/containers/description.ts';
import { endpointNames } from './engine/containers/plan.ts';
import { ContainerRecords, type StoredContainer } from './engine/containers/records.ts';
import { isUp } from './engine/lifecycle.ts';
import { sandboxDirectory } from './engine/places.ts';
import { recoverImages } from './images/recover.ts';
import { formatAddress, parseAddress } from './networks/addresses.ts';
import { describedNetworks, openNetworkStore, type EndpointRow } from './networks/store.ts';
import type { Settings } from './settings.ts';
import { makeDataRoot } from './state/data-root.ts';
import type { Database } from './state/database.ts';
import { lockDataRoot } from './state/lock.ts';
import { LostAndFound } from './state/lost-and-found.ts';
import { openOrReplaceState } from './state/open.ts';

export interface Recovered {
  readonly kind: 'database' | 'container' | 'image' | 'switch' | 'address';
  readonly name: string;
  /** Why it could not be; null: it is there again. */
  readonly failure: string | null;
}

/** Refused while a daemon lives. Tells of each thing that had no row. */
export function recover(settings: Settings, tell: (recovered: Recovered) => void): void {
  if (!existsSync(settings.dataRoot))
    throw new TwofoldError('path-not-found', `The data root ${settings.dataRoot} does not exist.`);
  makeDataRoot(settings.dataRoot);
  using _hold = lockDataRoot(settings.dataRoot);
  const lost = new LostAndFound(settings.dataRoot);
  lost.putBack();
  using state = openOrReplaceState(settings.dataRoot, lost.take);
  if (state.replaced) tell({ kind: 'database', name: join(settings.dataRoot, 'state.db'), failure: null });
  recoverSwitches(settings, state.database, tell);
  recoverImages(settings, state.database, (name, failure) => tell({ kind: 'image', name, failure }));
  recoverContainers(settings, state.database, tell);
}

function recoverSwitches({ dataRoot }: Settings, database: Database, tell: (recovered: Recovered) => void): void {
  const described = describedNetworks(dataRoot);
  // Not described before all are there: a recovery that is cut short can be begun again.
  const store = openNetworkStore(database, null);
  for (const network of described) {
    const present = store.networks();
    const isThere = present.some(({ id }) => id === network.id);
    if (isThere) continue;
    const isTaken = present.some(({ name }) => name.toLowerCase() === network.name.toLowerCase());
    if (!isTaken) store.insertNetwork(network);
    tell({ kind: 'switch', name: network.name, failure: isTaken ? 'another has its name' : null });
  }
}

function recoverContainers(settings: Settings, database: Database, tell: (recovered: Recovered) => void): void {
  const records = new ContainerRecords(database, () => undefined);
  const endpoints = openNetworkStore(database, null);
  const directory = join(settings.dataRoot, 'containers');
  const found: DescribedContainer[] = [];
  for (const id of (existsSync(directory) ? readdirSync(directory) : []) as ContainerId[]) {
    if (records.get(id) !== undefined) continue;
    const fail = (failure: string) => tell({ kind: 'container', name: id, failure });
    try {
      const container = readDescribed(settings, id);
      if (container === null) fail('it has no description');
      else found.push(container);
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error));
    }
  }
  for (const container of found.toSorted((a, b) => a.created.localeCompare(b.created))) {
    const isTaken = records.named(container.name) !== undefined;
    const name = isTaken ? `${container.name}-${container.id.slice(0, 12)}` : container.name;
    const record = { ...container, name, ...lifeOf(settings, container) };
    const refused: Recovered[] = [];
    database.transaction(
      () => {
        records.insert(record);
        for (const endpoint of isUp(record.life) ? endpointsOf(record) : []) {
          const other = endpoints
            .endpoints(endpoint.network)
            .find(({ address, mac }) => address === endpoint.address || mac === endpoint.mac);
          if (other === undefined) endpoints.putEndpoint(endpoint);
          else refused.push(takenAddress(endpoint, name, records.get(other.container)?.name ?? other.container));
        }
      },
      { durable: true },
    );
    tell({ kind: 'container', name, failure: null });
    for (const one of refused) tell(one);
  }
}

/** A daemon with an older database gave its address to another while it ran on. */
function takenAddress({ address }: EndpointRow, name: string, other: string): Recovered {
  return {
    kind: 'address',
    name: `${formatAddress(address)} of ${name}`,
    failure: `${other} has it too: restart one of them`,
  };
}

/** Addresses that it goes on using. */
function endpointsOf(record: StoredContainer): EndpointRow[] {
  return record.adapters.flatMap((adapter) => {
    const { id, network, lease } = adapter;
    const address = parseAddress(lease?.address ?? '');
    if (network === null || lease === null || address === null) return [];
    const { name, mac } = lease;
    const names = endpointNames(record, adapter);
    return [{ adapter: id, network: network.id, container: record.id, name, address, mac, names }];
  });
}

/**
 * One whose sandbox may be there counts as running: the daemon asks it, and says how it ended where it has. What became
 * of the others nobody knows; they are as after their creation, so that neither `--rm` nor a restart policy decides on
 * them.
 */
function lifeOf(
  settings: Settings,
  { id }: DescribedContainer,
): Pick<StoredContainer, 'life' | 'restartCount' | 'stoppedByUser' | 'execIds'> {
  const life = existsSync(sandboxDirectory(settings, id))
    ? ({ at: 'running', pid: 0, startedAt: Date.now() } as const)
    : ({ at: 'created', error: '', exitCode: 0 } as const);
  return { life, restartCount: 0, stoppedByUser: false, execIds: [] };
}
