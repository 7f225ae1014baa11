// Owns what the rest of the house knows of networks: virtual switches (a bridge, an address pool, NAT, names) and
// endpoints on them.

import type { AdapterId, ContainerId, NetworkId } from '@twofold/contract';

/**
 * The switch that containers are on unless they name another. Docker's clients call it `bridge` (api/network-names.ts).
 */
export const defaultSwitch = 'NAT';

export interface Network {
  readonly id: NetworkId;
  /**
   * `NAT`, `Virtual Switch`; docker's `bridge` and `default` name the default switch. Matched without regard to case.
   */
  readonly name: string;
  readonly driver: 'bridge' | 'none' | 'host';
  /** The Linux bridge: `tf0`. Empty for none and host. */
  readonly bridge: string;
  readonly subnet: string;
  readonly gateway: string;
  /** Addresses are given out of it; empty: of the whole subnet. */
  readonly ipRange: string;
  /** Docker's words of `-o`, those that are carried out. */
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly internal: boolean;
  readonly builtIn: boolean;
  /** RFC 3339. */
  readonly created: string;
}

/** A network adapter's place on a switch; driver.ts's SandboxInterface has the same shape and less. */
export interface Endpoint {
  readonly adapter: AdapterId;
  readonly network: NetworkId;
  readonly container: ContainerId;
  readonly name: string;
  readonly hostName: string;
  readonly mac: string;
  readonly addresses: readonly string[];
  readonly gateway?: string;
  readonly mtu: number;
}

/** What an adapter asks of its switch. Without an address or a MAC it is given one. */
export interface Request {
  readonly network: NetworkId;
  readonly container: ContainerId;
  readonly adapter: AdapterId;
  /** Name of the interface inside: `eth0`. */
  readonly name: string;
  /** By which others on the switch find it; the first is the one that its address leads back to. */
  readonly names: readonly string[];
  readonly address?: string;
  readonly mac?: string;
  /** Not chosen while others are free: what adapters of stopped containers have for their own. */
  readonly spare?: readonly string[];
}

export interface NewNetwork {
  readonly name: string;
  readonly subnet?: string;
  readonly gateway?: string;
  readonly ipRange?: string;
  readonly internal?: boolean;
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface NetworkEvent {
  readonly action: 'create' | 'destroy';
  readonly network: Network;
}

export interface Networks {
  /**
   * Of networks that are made or removed from now on; one listener. It is called in the transaction that makes or
   * removes the row: what it writes is committed with that, and what it throws undoes it.
   */
  onEvent(listener: (event: NetworkEvent) => void): void;
  list(): Network[];
  /** By name (without regard to case), id or unique prefix. Throws `network-not-found`, `ambiguous-prefix`. */
  find(reference: string): Network;
  /** Throws `name-taken`, `invalid-argument`, `forbidden` where the subnet overlaps one that is in use. */
  create(spec: NewNetwork): Promise<Network>;
  /** Throws `forbidden` while endpoints are on it, and for a built-in one. */
  remove(reference: string): Promise<void>;
  /**
   * Throws `invalid-argument` for an address that no adapter on that network can be given; of none, or one that is
   * gone: for what is no address.
   */
  checkAddress(network: NetworkId | null, address: string): void;
  /**
   * A MAC in any of its forms as the kernel writes it. Throws `invalid-argument`, and `conflict` for that of the
   * network itself.
   */
  readMac(network: NetworkId | null, text: string): string;
  /**
   * Allots address and MAC and writes them down; makes no link. They are kept until release. Throws `conflict` when the
   * address is taken or the pool is empty.
   */
  reserve(request: Request): Endpoint;
  /** A container's endpoints, in the order in which they were reserved. */
  endpointsOf(container: ContainerId): Endpoint[];
  /** The endpoint answers to other names from now on. */
  rename(adapter: AdapterId, names: readonly string[]): void;
  /** All endpoints of the container. */
  release(container: ContainerId): void;
  endpoints(network: NetworkId): Endpoint[];
  /** Makes the bridge and its rules if they aren't there. */
  ensure(network: NetworkId, signal: AbortSignal): Promise<void>;
  /**
   * Host side: `veth` is made and its inner end moved into the namespace of `netnsPid` under the endpoint's name; `tap`
   * exists and is put on the bridge.
   */
  connect(endpoint: Endpoint, kind: 'veth' | 'tap', netnsPid: number | null, signal: AbortSignal): Promise<void>;
  /**
   * Begins it and does not wait for the kernel; a connect that follows does. Idempotent; the links go with their
   * namespace or worker anyway.
   */
  disconnect(endpoint: Endpoint): Promise<void>;
  /**
   * Name server address for a container on this network. It answers names and short ids of the endpoints that share a
   * switch with the one that asks.
   */
  nameServer(network: NetworkId): string | null;
  /** Removes every bridge and rule of this daemon's prefix: `down --purge`. */
  removeAll(): Promise<void>;
}
