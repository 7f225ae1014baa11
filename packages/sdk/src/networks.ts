// Owns the network verbs. PowerShell's virtual switches are the same things.

import type { EndpointSettings } from '@twofold/contract';
import type { NetworkDetails } from './answers.ts';
import type { Cancellable } from './containers.ts';
import { type Filters, filtersText } from './filters.ts';
import { segment, type Transport } from './transport.ts';

export interface NewNetwork {
  /** CIDR; one is chosen where it is not given, and then `gateway` and `ipRange` can't be. */
  readonly subnet?: string;
  readonly gateway?: string;
  readonly ipRange?: string;
  readonly internal?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  /** `com.docker.network.driver.mtu` and the like. */
  readonly driverOptions?: Readonly<Record<string, string>>;
}

export class Networks {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list(options: Cancellable & { filters?: Filters } = {}): Promise<NetworkDetails[]> {
    return this.#transport.json('GET', '/networks', { ...options, query: { filters: filtersText(options.filters) } });
  }

  inspect(network: string, options: Cancellable = {}): Promise<NetworkDetails> {
    return this.#transport.json('GET', `/networks/${segment(network)}`, options);
  }

  async create(name: string, options: Cancellable & NewNetwork = {}): Promise<{ id: string }> {
    const { signal, subnet, gateway, ipRange, internal, labels, driverOptions } = options;
    const config = subnet === undefined ? [] : [{ Subnet: subnet, Gateway: gateway, IPRange: ipRange }];
    const answer = await this.#transport.json<{ Id: string }>('POST', '/networks/create', {
      json: { Name: name, Internal: internal, Labels: labels, Options: driverOptions, IPAM: { Config: config } },
      ...(signal ? { signal } : {}),
    });
    return { id: answer.Id };
  }

  /** Of a container that does not run. One that is on it already is given the address, MAC and aliases. */
  connect(
    network: string,
    container: string,
    options: Cancellable & { settings?: EndpointSettings } = {},
  ): Promise<void> {
    const { settings, ...rest } = options;
    return this.#transport.json('POST', `/networks/${segment(network)}/connect`, {
      ...rest,
      json: { Container: container, EndpointConfig: settings },
    });
  }

  disconnect(network: string, container: string, options: Cancellable = {}): Promise<void> {
    return this.#transport.json('POST', `/networks/${segment(network)}/disconnect`, {
      ...options,
      json: { Container: container },
    });
  }

  remove(network: string, options: Cancellable = {}): Promise<void> {
    return this.#transport.json('DELETE', `/networks/${segment(network)}`, options);
  }

  async prune(options: Cancellable & { filters?: Filters } = {}): Promise<{ deleted: readonly string[] }> {
    const answer = await this.#transport.json<{ NetworksDeleted: string[] | null }>('POST', '/networks/prune', {
      ...options,
      query: { filters: filtersText(options.filters) },
    });
    return { deleted: answer.NetworksDeleted ?? [] };
  }
}
