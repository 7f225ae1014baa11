// Owns a container's list of network adapters: how it is changed while the container does not run. What an adapter is
// given on its switch is decided at the start (start.ts).

import { TwofoldError, newAdapterId, type AdapterId, type ContainerId } from '@twofold/contract';
import type { Networks } from '../../networks/networks.ts';
import type { Adapter, AdapterChange } from '../engine.ts';
import { judge } from '../lifecycle.ts';
import type { Room } from '../room.ts';
import type { StoredContainer } from './records.ts';

/** Hyper-V's limit of its own kind of adapters. */
export const mostAdapters = 8;
const defaultName = 'Network Adapter';
const longestName = 255;

/** A new adapter as `wanted`, connected or not. Throws for what no switch could give. */
export function makeAdapter(networks: Networks, wanted: AdapterChange): Adapter {
  return changed(
    networks,
    { id: newAdapterId(), name: defaultName, network: null, address: '', mac: '', aliases: [], lease: null },
    wanted,
  );
}

/** Throws `conflict` for a list that could never start, `invalid-argument` for one that is too long. */
export function checkAdapters(adapters: readonly Adapter[]): void {
  if (adapters.length > mostAdapters)
    throw new TwofoldError('invalid-argument', `A container can have at most ${mostAdapters} network adapters.`);
  for (const [index, one] of adapters.entries()) {
    const before = adapters.slice(0, index);
    if (one.mac !== '' && before.some(({ mac }) => mac === one.mac))
      throw new TwofoldError('conflict', `Two of the container's adapters would have the MAC address ${one.mac}.`);
    if (
      one.network !== null &&
      one.address !== '' &&
      before.some(({ network, address }) => network?.id === one.network!.id && address === one.address)
    )
      throw new TwofoldError(
        'conflict',
        `Two of the container's adapters would have the address ${one.address} on ${one.network.name}.`,
      );
  }
}

/** See Containers.addAdapter. These hold the container's queue. */
export function addAdapter(room: Room, id: ContainerId, wanted: AdapterChange): Adapter {
  const record = changeable(room, id);
  if (record.networking === 'host')
    throw new TwofoldError(
      'conflict',
      `container ${record.name} uses the host's network, which is not a switch: it cannot have network adapters`,
    );
  const made = makeAdapter(room.networks, wanted);
  keep(room, record, [...record.adapters, made]);
  return made;
}

/** See Containers.changeAdapter. */
export function changeAdapter(room: Room, id: ContainerId, adapter: string, change: AdapterChange): Adapter {
  const record = changeable(room, id);
  const before = find(record, adapter);
  const after = changed(room.networks, before, change);
  keep(
    room,
    record,
    record.adapters.map((one) => (one === before ? after : one)),
  );
  return after;
}

/** See Containers.removeAdapter. */
export function removeAdapter(room: Room, id: ContainerId, adapter: string): void {
  const record = changeable(room, id);
  const gone = find(record, adapter);
  keep(
    room,
    record,
    record.adapters.filter((one) => one !== gone),
  );
}

/** See Containers.connect. The refusals are Docker's. */
export function connectNetwork(room: Room, id: ContainerId, reference: string, change: AdapterChange): void {
  const network = room.networks.find(reference);
  const record = changeable(room, id);
  if (network.driver === 'host')
    throw new TwofoldError(
      'invalid-argument',
      'container cannot be disconnected from host network or connected to host network',
    );
  if (record.networking === 'host')
    throw new TwofoldError(
      'invalid-argument',
      'container sharing network namespace with another container or host cannot be connected to any other network',
    );
  const nowhere = network.driver === 'none';
  if ((nowhere && record.adapters.some((one) => one.network !== null)) || (record.networking === 'none' && !nowhere)) {
    throw new TwofoldError(
      'invalid-argument',
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
  }
  if (nowhere) {
    room.records.change(id, { networking: 'none', adapters: [] });
    return;
  }
  const present = record.adapters.find((one) => one.network?.id === network.id);
  const wanted = { ...change, network: network.id };
  if (present !== undefined) changeAdapter(room, id, present.id, wanted);
  else addAdapter(room, id, wanted);
}

/** See Containers.disconnect. */
export function disconnectNetwork(room: Room, id: ContainerId, reference: string): void {
  const record = changeable(room, id);
  // One that was removed is still known by the name it had.
  const named = record.adapters.find(
    ({ network }) =>
      network !== null && (network.id === reference || network.name.toLowerCase() === reference.toLowerCase()),
  )?.network;
  const network = named ?? room.networks.find(reference);
  if ('driver' in network && network.driver === 'host')
    throw new TwofoldError(
      'invalid-argument',
      'container cannot be disconnected from host network or connected to host network',
    );
  if ('driver' in network && network.driver === 'none' && record.networking === 'none') {
    room.records.change(id, { networking: 'adapters' });
    return;
  }
  const left = record.adapters.filter((one) => one.network?.id !== network.id);
  if (left.length === record.adapters.length)
    throw new TwofoldError('forbidden', `container ${id} is not connected to the network ${network.name}`);
  keep(room, record, left);
}

function changeable(room: Room, id: ContainerId): StoredContainer {
  const record = room.records.need(id);
  const verdict = judge('change-adapters', record.life, record);
  if (verdict.is === 'refused') throw new TwofoldError(verdict.code, verdict.message);
  return record;
}

function keep(room: Room, record: StoredContainer, adapters: readonly Adapter[]): void {
  checkAdapters(adapters);
  room.records.change(record.id, { networking: 'adapters', adapters });
}

function find(record: StoredContainer, id: string): Adapter {
  const found = record.adapters.find((one) => one.id === (id.toLowerCase() as AdapterId));
  if (found === undefined)
    throw new TwofoldError('adapter-not-found', `container ${record.name} has no network adapter ${id.slice(0, 60)}`);
  return found;
}

function changed(networks: Networks, adapter: Adapter, change: AdapterChange): Adapter {
  const { name = adapter.name, address = adapter.address, aliases = adapter.aliases } = change;
  if (name === '' || name.length > longestName)
    throw new TwofoldError('invalid-argument', `A network adapter's name has 1 to ${longestName} characters.`);
  const network =
    change.network === undefined ? adapter.network : change.network === '' ? null : switchOf(networks, change.network);
  // A switch that has gone since is told at the start; nothing can be checked against it.
  if (address !== '' && (change.address !== undefined || change.network !== undefined))
    networks.checkAddress(network?.id ?? null, address);
  const wanted = change.mac ?? adapter.mac;
  const mac = wanted === '' ? '' : networks.readMac(network?.id ?? null, wanted);
  return { ...adapter, name, network, address, mac, aliases, lease: null };
}

function switchOf(networks: Networks, reference: string): NonNullable<Adapter['network']> {
  const { id, name, driver } = networks.find(reference);
  if (driver !== 'bridge')
    throw new TwofoldError(
      'invalid-argument',
      `The network ${name} is not a switch: adapters cannot be connected to it.`,
    );
  return { id, name };
}
