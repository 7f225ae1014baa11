// Owns the image verbs.

import type { Readable } from 'node:stream';
import type { ImageDetails, ImageStep, ImageSummary, Progress } from './answers.ts';
import type { Cancellable } from './containers.ts';
import { TwofoldApiError } from './error.ts';
import { type Filters, filtersText } from './filters.ts';
import { jsonLines, segment, type Transport } from './transport.ts';

export class Images {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list(options: Cancellable & { filters?: Filters } = {}): Promise<ImageSummary[]> {
    return this.#transport.json('GET', '/images/json', {
      ...options,
      query: { filters: filtersText(options.filters) },
    });
  }

  inspect(image: string, options: Cancellable = {}): Promise<ImageDetails> {
    return this.#transport.json('GET', `/images/${segment(image)}/json`, options);
  }

  history(image: string, options: Cancellable = {}): Promise<ImageStep[]> {
    return this.#transport.json('GET', `/images/${segment(image)}/history`, options);
  }

  tag(image: string, repository: string, tag?: string, options: Cancellable = {}): Promise<void> {
    return this.#transport.json('POST', `/images/${segment(image)}/tag`, {
      ...options,
      query: { repo: repository, tag },
    });
  }

  async remove(
    image: string,
    options: Cancellable & { force?: boolean } = {},
  ): Promise<{ untagged: string[]; deleted: string[] }> {
    const answer = await this.#transport.json<{ Untagged?: string; Deleted?: string }[]>(
      'DELETE',
      `/images/${segment(image)}`,
      { ...options, query: { force: options.force } },
    );
    return {
      untagged: answer.flatMap((one) => one.Untagged ?? []),
      deleted: answer.flatMap((one) => one.Deleted ?? []),
    };
  }

  async prune(
    options: Cancellable & { filters?: Filters } = {},
  ): Promise<{ deleted: readonly { Untagged?: string; Deleted?: string }[]; reclaimedBytes: number }> {
    const answer = await this.#transport.json<{
      ImagesDeleted: { Untagged?: string; Deleted?: string }[] | null;
      SpaceReclaimed: number;
    }>('POST', '/images/prune', { ...options, query: { filters: filtersText(options.filters) } });
    return { deleted: answer.ImagesDeleted ?? [], reclaimedBytes: answer.SpaceReclaimed };
  }

  /**
   * A docker archive or OCI layout, optionally compressed. Yields what the daemon tells; throws where it fails in the
   * middle.
   */
  async *load(archive: Readable | AsyncIterable<Uint8Array>, options: Cancellable = {}): AsyncGenerator<Progress> {
    const response = await this.#transport.open('POST', '/images/load', { ...options, stream: archive });
    for await (const line of jsonLines<Progress & { error?: string }>(response)) {
      if (line.error !== undefined) throw new TwofoldApiError(500, line.error);
      yield line;
    }
  }

  /** An archive that docker and OCI tools load. */
  save(names: readonly string[], options: Cancellable = {}): Promise<Readable> {
    return this.#transport.open('GET', '/images/get', { ...options, query: { names } });
  }

  /** One layer from a tar of a root file system. Resolves with the image's id. */
  async import(
    tar: Readable | AsyncIterable<Uint8Array>,
    options: Cancellable & { repository?: string; tag?: string; message?: string; changes?: readonly string[] } = {},
  ): Promise<{ id: string }> {
    const { signal, repository, tag, message, changes } = options;
    const answer = await this.#transport.json<{ status: string }>('POST', '/images/create', {
      query: { fromSrc: '-', repo: repository, tag, message, changes },
      stream: tar,
      ...(signal ? { signal } : {}),
    });
    return { id: answer.status };
  }
}
