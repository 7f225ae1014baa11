// Owns Docker's view of a container's network adapters: an endpoint for each network, which is its first adapter there.
// All adapters as they are is Twofold's own view (handlers/adapters.ts).

import type { Adapter, ContainerRecord, Engine } from '../engine/engine.ts';
import { dockerName } from './network-names.ts';

/** The first adapter on each network, by the network's name in Docker's view. */
export function endpointsOf(record: ContainerRecord): Map<string, Adapter> {
  const endpoints = new Map<string, Adapter>();
  for (const adapter of record.adapters) {
    if (adapter.network === null) continue;
    const name = dockerName(adapter.network.name);
    if (!endpoints.has(name)) endpoints.set(name, adapter);
  }
  return endpoints;
}

export const isUp = ({ life }: ContainerRecord): boolean => life.at === 'running' || life.at === 'paused';

/** `NetworkSettings.Networks`. */
export function networksView(
  networks: Engine['networks'],
  record: ContainerRecord,
): Record<string, Record<string, unknown>> {
  if (record.networking !== 'adapters')
    return {
      [record.networking]: {
        ...emptyView,
        NetworkID: networks.find(record.networking).id,
        EndpointID: isUp(record) ? record.id : '',
      },
    };
  return Object.fromEntries([...endpointsOf(record)].map(([name, adapter]) => [name, endpointView(record, adapter)]));
}

const emptyView = {
  IPAMConfig: null,
  Links: null,
  Aliases: null,
  DriverOpts: null,
  NetworkID: '',
  EndpointID: '',
  MacAddress: '',
  Gateway: '',
  IPAddress: '',
  IPPrefixLen: 0,
  IPv6Gateway: '',
  GlobalIPv6Address: '',
  GlobalIPv6PrefixLen: 0,
  DNSNames: null,
};

function endpointView(
  record: ContainerRecord,
  { id, network, address, mac, aliases, lease }: Adapter,
): Record<string, unknown> {
  const had = isUp(record) ? lease : null;
  return {
    ...emptyView,
    IPAMConfig: address === '' ? null : { IPv4Address: address },
    Aliases: aliases.length > 0 ? aliases : null,
    NetworkID: network!.id,
    EndpointID: had === null ? '' : endpointId(id),
    MacAddress: had?.mac ?? mac,
    Gateway: had?.gateway ?? '',
    IPAddress: had?.address ?? '',
    IPPrefixLen: had?.prefixLength ?? 0,
    DNSNames: [record.name, record.id.slice(0, 12), ...aliases],
  };
}

/** Docker's ids have 64 digits. */
export function endpointId(adapter: string): string {
  return adapter.replaceAll('-', '').padEnd(64, '0');
}
