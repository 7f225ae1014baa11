// Owns the client as a whole: one daemon, its rooms, and what is asked of it as one.

import type { ComputeProcess } from '@twofold/contract';
import { instanceNamed, socketOf } from '@twofold/contract/instance.ts';
import type { DaemonEvent, DaemonInfo, DaemonVersion, Switch } from './answers.ts';
import { type Cancellable, Containers } from './containers.ts';
import { type Filters, filtersText } from './filters.ts';
import { Images } from './images.ts';
import { Networks } from './networks.ts';
import { jsonLines, segment, Transport } from './transport.ts';

/**
 * A client of one Twofold daemon.
 *
 *     await using twofold = new Twofold();
 * const { id } = await twofold.containers.create({ Image: 'nanoserver', Cmd: ['true'], HostConfig: { Isolation:
 * 'hyperv' } });
 */
export class Twofold implements AsyncDisposable {
  readonly containers: Containers;
  readonly images: Images;
  readonly networks: Networks;
  readonly #transport: Transport;

  /**
   * The daemon at `socketPath`, or that of an `instance`; the default one's without either. `signal` calls off every
   * request of this client, those to come as well.
   */
  constructor(options: { socketPath?: string; instance?: string; signal?: AbortSignal } = {}) {
    const socketPath = options.socketPath ?? socketOf(instanceNamed(options.instance));
    this.#transport = new Transport(socketPath, options.signal);
    this.containers = new Containers(this.#transport);
    this.images = new Images(this.#transport);
    this.networks = new Networks(this.#transport);
  }

  get socketPath(): string {
    return this.#transport.socketPath;
  }

  /** The newest API version that the daemon speaks. */
  async ping(options: Cancellable = {}): Promise<{ apiVersion: string }> {
    const response = await this.#transport.open('HEAD', '/_ping', options);
    response.resume();
    return { apiVersion: String(response.headers['api-version'] ?? '') };
  }

  info(options: Cancellable = {}): Promise<DaemonInfo> {
    return this.#transport.json('GET', '/info', options);
  }

  version(options: Cancellable = {}): Promise<DaemonVersion> {
    return this.#transport.json('GET', '/version', options);
  }

  /** From `since` (Unix seconds or RFC 3339) on; ends at `until`, or when `signal` fires or the loop is left. */
  async *events(
    options: Cancellable & { since?: string | number; until?: string | number; filters?: Filters } = {},
  ): AsyncGenerator<DaemonEvent> {
    const { signal, filters, ...query } = options;
    yield* jsonLines<DaemonEvent>(
      await this.#transport.open('GET', '/events', {
        query: { ...query, filters: filtersText(filters) },
        ...(signal ? { signal } : {}),
      }),
    );
  }

  /** The worker processes of hyperv containers, read from the running system. */
  compute(options: Cancellable = {}): Promise<ComputeProcess[]> {
    return this.#transport.json('GET', '/twofold/compute', options);
  }

  /** Ends a worker hard, by its container's id in any form; resolves when the container has ended for everybody. */
  stopCompute(id: string, options: Cancellable = {}): Promise<void> {
    return this.#transport.json('POST', `/twofold/compute/${segment(id)}/stop`, options);
  }

  switches(options: Cancellable = {}): Promise<Switch[]> {
    return this.#transport.json('GET', '/twofold/switches', options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#transport[Symbol.dispose]();
    await Promise.resolve();
  }
}
