// Owns the switches of one daemon: which there are, who has which address, and when plans are carried out. The plan
// itself is plan.ts's, the carrying out apply.ts's, the rows store.ts's, the names name-server.ts's.

import { newId, TwofoldError, type AdapterId, type ContainerId, type NetworkId } from '@twofold/contract';
import type { Settings } from '../settings.ts';
import {
  chooseSubnet,
  contains,
  formatAddress,
  formatSubnet,
  isHostAddress,
  isSpecial,
  macOf,
  nextAddress,
  overlap,
  parseAddress,
  parseMac,
  parseSubnet,
  type Subnet,
} from './addresses.ts';
import { linkFact } from '../host/ip.ts';
import { hostSubnets, makeSwitch, removeEverything, removeSwitch, RuleQueue, uplinkMtu, type Warn } from './apply.ts';
import { openNameServer, type NameServer } from './name-server.ts';
import { joinDirectories, makeDirectory, type Directory } from './names.ts';
import { defaultSwitch } from './networks.ts';
import type { Endpoint, Network, NetworkEvent, Networks, NewNetwork, Request } from './networks.ts';
import { checkOptions, mtuOption } from './options.ts';
import { bridgeMac, ruleScript } from './plan.ts';
import { Plugs } from './plugs.ts';
import { openNetworkStore, toEndpoint, type Database, type EndpointRow, type NetworkStore } from './store.ts';

export interface NetworksOptions {
  /** Without a data root the switches are described nowhere (tests). */
  readonly settings: Pick<Settings, 'linkPrefix' | 'addressPools'> & { readonly dataRoot?: string };
  readonly database: Database;
  readonly warn: Warn;
  /** Subnets that the host uses; read from its routes where not given. */
  readonly occupied?: () => Promise<readonly string[]>;
  readonly mtu?: number;
  /** The program twofold-links; without it `ip` and `nft` are started for each endpoint. */
  readonly linkTool?: string;
}

/** What Docker's clients call the default switch. */
const defaultAliases = ['bridge', 'default', 'nat'];
const builtInSwitches = [defaultSwitch, 'Virtual Switch'];

/** Opens the room; makes the built-in switches' rows where they lack, and no link yet. */
export async function openNetworks(options: NetworksOptions): Promise<Networks & AsyncDisposable> {
  const store = openNetworkStore(options.database, options.settings.dataRoot ?? null);
  const room = new Room(store, options, options.mtu ?? (await uplinkMtu()));
  for (const name of builtInSwitches) if (room.named(name) === undefined) await room.make({ name }, 'bridge', true);
  for (const driver of ['none', 'host'] as const)
    if (room.named(driver) === undefined) await room.make({ name: driver }, driver, true);
  await room.resume();
  return room;
}

class Room implements Networks, AsyncDisposable {
  readonly #store: NetworkStore;
  readonly #options: NetworksOptions;
  readonly #prefix: string;
  readonly #mtu: number;
  readonly #rules = new RuleQueue();
  readonly #plugs: Plugs;
  readonly #made = new Map<NetworkId, Promise<void>>();
  readonly #nameServers = new Map<NetworkId, NameServer>();
  readonly #directories = new Map<NetworkId, Directory>();
  /** Creations choose subnet and bridge name one after the other. */
  #creating: Promise<unknown> = Promise.resolve();
  #tell: (event: NetworkEvent) => void = () => undefined;

  constructor(store: NetworkStore, options: NetworksOptions, mtu: number) {
    this.#store = store;
    this.#options = options;
    this.#prefix = options.settings.linkPrefix;
    this.#mtu = mtu;
    this.#plugs = new Plugs(this.#prefix, this.#rules, options.linkTool ?? null, options.warn);
  }

  /**
   * Switches that a daemon before this one left up, for containers that run on: their rules and name servers come back.
   */
  async resume(): Promise<void> {
    const up = await Promise.all(
      this.list().map(async (network) => network.bridge !== '' && (await linkFact(network.bridge, 'ifindex')) !== null),
    );
    await Promise.all(
      this.list()
        .filter((_, index) => up[index])
        .map((network) =>
          this.#makeOnce(network).catch((error: unknown) => {
            this.#options.warn('A switch could not be restored', { network: network.name, cause: String(error) });
          }),
        ),
    );
  }

  onEvent(listener: (event: NetworkEvent) => void): void {
    this.#tell = listener;
  }

  list(): Network[] {
    return this.#store.networks();
  }

  named(name: string): Network | undefined {
    return this.list().find((network) => network.name.toLowerCase() === name.toLowerCase());
  }

  find(reference: string): Network {
    const all = this.list();
    const wanted = defaultAliases.includes(reference.toLowerCase()) ? defaultSwitch : reference;
    const exact = all.find((network) => network.name.toLowerCase() === wanted.toLowerCase() || network.id === wanted);
    if (exact !== undefined) return exact;
    const byPrefix = /^[0-9a-f]+$/.test(reference) ? all.filter((network) => network.id.startsWith(reference)) : [];
    if (byPrefix.length > 1)
      throw new TwofoldError(
        'ambiguous-prefix',
        `The network id ${reference} matches several networks: give more digits.`,
      );
    if (byPrefix.length === 0) throw new TwofoldError('network-not-found', `network ${reference} not found`);
    return byPrefix[0]!;
  }

  create(spec: NewNetwork): Promise<Network> {
    const done = this.#creating.then(() => this.make(spec, 'bridge', false));
    this.#creating = done.catch(() => undefined);
    return done;
  }

  /** create() without waiting its turn, for built-in networks too, of which nothing is told. */
  async make(spec: NewNetwork, driver: Network['driver'], builtIn: boolean): Promise<Network> {
    if (!/^[A-Za-z0-9][A-Za-z0-9_. -]{0,127}$/.test(spec.name))
      throw new TwofoldError(
        'invalid-argument',
        `${JSON.stringify(spec.name)} is not a valid network name: use letters, digits, '_', '.', '-' and spaces, beginning with a letter or digit.`,
      );
    if (this.named(spec.name) !== undefined || (!builtIn && defaultAliases.includes(spec.name.toLowerCase())))
      throw new TwofoldError('name-taken', `network with name ${spec.name} already exists`);
    checkOptions(spec.options ?? {});
    const isSwitch = driver === 'bridge';
    const subnet = isSwitch ? await this.#subnetFor(spec.subnet) : null;
    const gateway = subnet === null ? '' : gatewayFor(subnet, spec.gateway);
    const network: Network = {
      id: newId<NetworkId>(),
      name: spec.name,
      driver,
      bridge: isSwitch ? this.#freeBridge() : '',
      subnet: subnet === null ? '' : formatSubnet(subnet),
      gateway,
      ipRange: subnet === null ? '' : rangeFor(subnet, spec.ipRange),
      options: spec.options ?? {},
      labels: spec.labels ?? {},
      internal: spec.internal ?? false,
      builtIn,
      created: new Date().toISOString(),
    };
    this.#store.together(() => {
      this.#store.insertNetwork(network);
      if (!builtIn) this.#tell({ action: 'create', network });
    });
    return network;
  }

  async remove(reference: string): Promise<void> {
    const network = this.find(reference);
    if (network.builtIn)
      throw new TwofoldError(
        'forbidden',
        `${network.id === reference ? network.name : reference} is a pre-defined network and cannot be removed`,
      );
    if (this.#store.endpoints(network.id).length > 0)
      throw new TwofoldError(
        'forbidden',
        `error while removing network: network ${network.name} id ${network.id} has active endpoints`,
      );
    this.#store.together(() => {
      this.#store.deleteNetwork(network.id);
      this.#tell({ action: 'destroy', network });
    });
    await this.#forget(network.id);
    await this.#plugs.settled();
    await removeSwitch(network);
    await this.#replaceRules();
  }

  checkAddress(id: NetworkId | null, address: string): void {
    if (parseAddress(address) === null)
      throw new TwofoldError('invalid-argument', `${address.slice(0, 60)} is not an IPv4 address.`);
    const network = this.list().find((each) => each.id === id);
    if (network === undefined) return;
    if (addressIn(network, address) === parseAddress(network.gateway))
      throw new TwofoldError('invalid-argument', `The address ${address} belongs to the gateway of ${network.name}.`);
  }

  readMac(id: NetworkId | null, text: string): string {
    const mac = parseMac(text);
    if (mac === null)
      throw new TwofoldError(
        'invalid-argument',
        `${text.slice(0, 60)} is not a MAC address that a container can have.`,
      );
    const network = this.list().find((each) => each.id === id);
    if (network !== undefined && network.driver === 'bridge' && mac === bridgeMac(network))
      throw new TwofoldError('conflict', `The MAC address ${mac} belongs to the switch ${network.name} itself.`);
    return mac;
  }

  reserve({ network: id, container, adapter, name, names, ...wanted }: Request): Endpoint {
    const network = this.#switch(id);
    const others = this.#store.endpoints(id).filter((row) => row.adapter !== adapter);
    const address = this.#addressFor(network, others, wanted);
    const mac = wanted.mac === undefined ? macOf(address) : this.readMac(id, wanted.mac);
    if (others.some((row) => row.mac === mac))
      throw new TwofoldError('conflict', `The MAC address ${mac} is already in use on ${network.name}.`);
    const row: EndpointRow = { adapter, network: id, container, name, address, mac, names: [...names] };
    this.#store.putEndpoint(row);
    this.#directories.delete(id);
    return this.#endpoint(row, network);
  }

  endpointsOf(container: ContainerId): Endpoint[] {
    return this.#store.endpointsOf(container).map((row) => this.#endpoint(row, this.#switch(row.network)));
  }

  rename(adapter: AdapterId, names: readonly string[]): void {
    this.#store.renameEndpoint(adapter, names);
    this.#directories.clear();
  }

  release(container: ContainerId): void {
    for (const row of this.#store.endpointsOf(container)) this.#directories.delete(row.network);
    this.#store.deleteEndpoints(container);
  }

  endpoints(id: NetworkId): Endpoint[] {
    const network = this.list().find((each) => each.id === id);
    return network === undefined || network.driver !== 'bridge'
      ? []
      : this.#store.endpoints(id).map((row) => this.#endpoint(row, network));
  }

  async ensure(id: NetworkId, signal: AbortSignal): Promise<void> {
    const network = this.#switch(id);
    const going = this.#made.get(id);
    if (going !== undefined) {
      await going;
      // Someone may have taken the bridge away since (a restarted network service does).
      if ((await linkFact(network.bridge, 'ifindex')) !== null) return;
      if (this.#made.get(id) === going) await this.#forget(id);
    }
    signal.throwIfAborted();
    await this.#makeOnce(network);
  }

  /**
   * Shared by all who wait for the switch, so no single caller's signal ends it; every step has a time limit of its
   * own.
   */
  #makeOnce(network: Network): Promise<void> {
    const going = this.#made.get(network.id);
    if (going !== undefined) return going;
    const making = this.#bringUp(network);
    this.#made.set(network.id, making);
    making.catch(() => this.#made.delete(network.id)); // what failed is tried afresh by the next container
    return making;
  }

  async connect(endpoint: Endpoint, kind: 'veth' | 'tap', netnsPid: number | null, signal: AbortSignal): Promise<void> {
    const network = this.#switch(endpoint.network);
    await this.ensure(endpoint.network, signal);
    await this.#plugs.connect(endpoint, network.bridge, kind, netnsPid, signal);
  }

  async disconnect(endpoint: Endpoint): Promise<void> {
    // Without our tables (no switch is up) there is nothing to take out.
    this.#plugs.disconnect(endpoint, this.#made.size > 0);
  }

  nameServer(id: NetworkId): string | null {
    return this.#nameServers.get(id)?.address ?? null;
  }

  async removeAll(): Promise<void> {
    await this.#plugs.settled();
    for (const id of this.#made.keys()) await this.#forget(id);
    await removeEverything(this.#prefix);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Links and rules stay: containers outlive the daemon.
    for (const server of this.#nameServers.values()) await server[Symbol.asyncDispose]();
    this.#nameServers.clear();
    await this.#plugs[Symbol.asyncDispose]();
  }

  async #bringUp(network: Network): Promise<void> {
    await makeSwitch(network, this.#mtuOf(network), this.#prefix, this.#options.warn);
    await this.#replaceRules();
    await this.#reconnect(network);
    const subnet = parseSubnet(network.subnet)!;
    try {
      this.#nameServers.set(
        network.id,
        await openNameServer({
          address: network.gateway,
          subnet,
          forward: !network.internal,
          directory: (client) => this.#directoryFor(network.id, client),
        }),
      );
    } catch (cause) {
      this.#options.warn(
        "The switch's name server could not be opened: containers on it do not find each other by name",
        { network: network.name, address: network.gateway, cause: String(cause) },
      );
    }
  }

  /** Endpoints of containers that run already. */
  async #reconnect(network: Network): Promise<void> {
    for (const endpoint of this.endpoints(network.id)) {
      if ((await linkFact(endpoint.hostName, 'ifindex')) === null) continue;
      try {
        await this.#plugs.reconnect(endpoint, network.bridge);
      } catch (cause) {
        if ((await linkFact(endpoint.hostName, 'ifindex')) !== null) throw cause; // or it has ended meanwhile
      }
    }
  }

  /** What one client may know: the names of its own switch, and of the others that its container is on. */
  #directoryFor(id: NetworkId, client: number): Directory {
    const own = this.#directory(id);
    const asks = own.containerAt(client);
    const others =
      asks === null
        ? []
        : [...new Set(this.#store.endpointsOf(asks as ContainerId).map((row) => row.network))].filter(
            (other) => other !== id,
          );
    return others.length === 0 ? own : joinDirectories([own, ...others.map((other) => this.#directory(other))]);
  }

  #directory(id: NetworkId): Directory {
    const known = this.#directories.get(id) ?? makeDirectory(this.#store.endpoints(id));
    this.#directories.set(id, known);
    return known;
  }

  async #forget(id: NetworkId): Promise<void> {
    this.#made.delete(id);
    this.#directories.delete(id);
    await this.#nameServers.get(id)?.[Symbol.asyncDispose]();
    this.#nameServers.delete(id);
  }

  #replaceRules(): Promise<void> {
    return this.#rules.replace(() => {
      const switches = this.list().filter((network) => network.driver === 'bridge');
      return ruleScript(
        this.#prefix,
        switches,
        switches.flatMap((network) => this.endpoints(network.id)),
      );
    });
  }

  #switch(id: NetworkId): Network {
    const network = this.list().find((each) => each.id === id);
    if (network === undefined) throw new TwofoldError('network-not-found', `network ${id} not found`);
    if (network.driver !== 'bridge')
      throw new TwofoldError('invalid-argument', `The network ${network.name} has no addresses to assign.`);
    return network;
  }

  #endpoint(row: EndpointRow, network: Network): Endpoint {
    return toEndpoint(row, network, this.#prefix, this.#mtuOf(network), formatAddress);
  }

  #mtuOf(network: Network): number {
    return mtuOption(network.options) ?? this.#mtu;
  }

  #addressFor(
    network: Network,
    others: readonly EndpointRow[],
    { address: wanted, spare = [] }: Pick<Request, 'address' | 'spare'>,
  ): number {
    const taken = new Set([parseAddress(network.gateway)!, ...others.map((row) => row.address)]);
    if (wanted !== undefined) {
      const address = addressIn(network, wanted);
      if (taken.has(address))
        throw new TwofoldError('conflict', `The address ${wanted} is already in use on ${network.name}.`);
      return address;
    }
    const subnet = parseSubnet(network.subnet)!;
    const range = network.ipRange === '' ? subnet : parseSubnet(network.ipRange)!;
    const last = this.#store.lastAddress(network.id);
    const withSpared = new Set([...taken, ...spare.map(parseAddress).filter((address) => address !== null)]);
    const address = nextAddress(subnet, withSpared, last, range) ?? nextAddress(subnet, taken, last, range);
    if (address === null)
      throw new TwofoldError('conflict', `No address is free on ${network.name} (${formatSubnet(range)}).`);
    return address;
  }

  async #subnetFor(wanted: string | undefined): Promise<Subnet> {
    const ours = this.list().filter((network) => network.driver === 'bridge');
    const host = await (this.#options.occupied ?? hostSubnets)();
    const taken = [...host, ...ours.map((network) => network.subnet)]
      .map(parseSubnet)
      .filter((subnet) => subnet !== null);
    if (wanted === undefined || wanted === '') {
      const chosen = chooseSubnet(this.#options.settings.addressPools, taken);
      if (chosen === null)
        throw new TwofoldError(
          'conflict',
          'The address pools are used up: remove a network, or give the daemon more pools.',
        );
      return chosen;
    }
    const subnet = parseSubnet(wanted);
    if (subnet === null || subnet.prefix < 8 || subnet.prefix > 30)
      throw new TwofoldError('invalid-argument', `${wanted} is not an IPv4 subnet between /8 and /30.`);
    if (isSpecial(subnet))
      throw new TwofoldError(
        'invalid-argument',
        `${wanted} cannot be the subnet of a switch: 0.0.0.0/8, 127.0.0.0/8 and everything from 224.0.0.0 on are reserved.`,
      );
    const other = taken.find((one) => overlap(subnet, one));
    if (other !== undefined)
      throw new TwofoldError(
        'forbidden',
        `invalid pool request: Pool overlaps with other one on this address space: ${wanted} and ${formatSubnet(other)}, which this host uses`,
      );
    return subnet;
  }

  #freeBridge(): string {
    const used = new Set(this.list().map((network) => network.bridge));
    let number = 0;
    while (used.has(`${this.#prefix}${number}`)) number += 1;
    return `${this.#prefix}${number}`;
  }
}

function gatewayFor(subnet: Subnet, wanted: string | undefined): string {
  if (wanted === undefined || wanted === '') return formatAddress(subnet.base + 1);
  const address = parseAddress(wanted);
  if (address === null || !contains(subnet, address) || !isHostAddress(subnet, address))
    throw new TwofoldError(
      'invalid-argument',
      `${wanted} is not an address in ${formatSubnet(subnet)} that a gateway can have.`,
    );
  return formatAddress(address);
}

function rangeFor(subnet: Subnet, wanted: string | undefined): string {
  if (wanted === undefined || wanted === '') return '';
  const range = parseSubnet(wanted);
  if (range === null || range.prefix < subnet.prefix || !contains(subnet, range.base))
    throw new TwofoldError('invalid-argument', `${wanted} is not part of ${formatSubnet(subnet)}.`);
  return formatSubnet(range);
}

function addressIn(network: Network, wanted: string): number {
  const address = parseAddress(wanted);
  if (address === null || !isHostAddress(parseSubnet(network.subnet)!, address))
    throw new TwofoldError(
      'invalid-argument',
      `${wanted} is not an address of the network ${network.name} (${network.subnet}).`,
    );
  return address;
}
