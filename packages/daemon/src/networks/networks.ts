// Owns what the rest of the house knows of networks: virtual switches (a bridge, an address pool, NAT, names) and endpoints on them.

import type { ContainerId, NetworkId } from '@twofold/contract';

export interface Network {
  readonly id: NetworkId;
  /** `NAT`, `Virtual Switch`; docker's `bridge` and `default` name the default switch. Matched without regard to case. */
  readonly name: string;
  readonly driver: 'bridge' | 'none' | 'host';
  /** The Linux bridge: `tf0`. Empty for none and host. */
  readonly bridge: string;
  readonly subnet: string;
  readonly gateway: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly internal: boolean;
  readonly builtIn: boolean;
  /** RFC 3339. */
  readonly created: string;
}

/** A container's place on a switch; driver.ts's SandboxInterface has the same shape and less. */
export interface Endpoint {
  readonly network: NetworkId;
  readonly container: ContainerId;
  readonly name: string;
  readonly hostName: string;
  readonly mac: string;
  readonly addresses: readonly string[];
  readonly gateway?: string;
  readonly mtu: number;
}

export interface Networks {
  list(): Network[];
  /** By name (without regard to case), id or unique prefix. Throws `network-not-found`, `ambiguous-prefix`. */
  find(reference: string): Network;
  create(spec: { name: string; subnet?: string; gateway?: string; internal?: boolean; labels?: Record<string, string> }): Promise<Network>;
  /** Throws `conflict` while endpoints are on it, `forbidden` for a built-in one. */
  remove(reference: string): Promise<void>;
  /** Allots address and MAC and writes them down; makes no link. The address is kept until release. Throws `conflict` when the address is taken or the pool is empty. */
  reserve(network: NetworkId, container: ContainerId, names: readonly string[], wanted?: { address?: string; mac?: string }): Endpoint;
  /** The endpoint reserved for a container, or null. */
  endpointOf(container: ContainerId): Endpoint | null;
  release(container: ContainerId): void;
  endpoints(network: NetworkId): Endpoint[];
  /** Makes the bridge and its rules if they aren't there. */
  ensure(network: NetworkId, signal: AbortSignal): Promise<void>;
  /** Host side: `veth` is made and its inner end moved into the namespace of `netnsPid` under the endpoint's name; `tap` exists and is put on the bridge. */
  connect(endpoint: Endpoint, kind: 'veth' | 'tap', netnsPid: number | null, signal: AbortSignal): Promise<void>;
  /** Begins it and does not wait for the kernel; a connect that follows does. Idempotent; the links go with their namespace or worker anyway. */
  disconnect(endpoint: Endpoint): Promise<void>;
  /** Name server address for a container on this network. It answers container names, short ids and aliases given to `reserve`. */
  nameServer(network: NetworkId): string | null;
  /** Removes every bridge and rule of this daemon's prefix: `down --purge`. */
  removeAll(): Promise<void>;
}
