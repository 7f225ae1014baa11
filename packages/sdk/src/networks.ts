// Owns the network verbs. PowerShell's virtual switches are the same things.

import type { NetworkDetails } from './answers.ts';
import type { Cancellable } from './containers.ts';
import { type Filters, filtersText } from './filters.ts';
import { segment, type Transport } from './transport.ts';

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

  async create(name: string, options: Cancellable & { subnet?: string; gateway?: string; internal?: boolean; labels?: Readonly<Record<string, string>> } = {}): Promise<{ id: string }> {
    const { signal, subnet, gateway, internal, labels } = options;
    const config = subnet === undefined ? [] : [{ Subnet: subnet, ...(gateway === undefined ? {} : { Gateway: gateway }) }];
    const answer = await this.#transport.json<{ Id: string }>('POST', '/networks/create', { json: { Name: name, Internal: internal, Labels: labels, IPAM: { Config: config } }, ...(signal ? { signal } : {}) });
    return { id: answer.Id };
  }

  remove(network: string, options: Cancellable = {}): Promise<void> {
    return this.#transport.json('DELETE', `/networks/${segment(network)}`, options);
  }

  async prune(options: Cancellable & { filters?: Filters } = {}): Promise<{ deleted: readonly string[] }> {
    const answer = await this.#transport.json<{ NetworksDeleted: string[] | null }>('POST', '/networks/prune', { ...options, query: { filters: filtersText(options.filters) } });
    return { deleted: answer.NetworksDeleted ?? [] };
  }
}
