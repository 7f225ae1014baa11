// Owns what could not be written down when it was told (a full disk): it is tried again until it is done, since nobody
// tells it twice. What concerns one container is done in the order in which it was told. Knows not what it is.

import type { ContainerId } from '@twofold/contract';
import type { Logger } from 'pino';

export class Backlog {
  readonly #retryMs: number;
  readonly #log: Logger;
  readonly #closing: AbortSignal;
  /** As many for a container as ends of one run are told: a next run waits until they are written down. */
  readonly #waiting = new Map<ContainerId, (() => void)[]>();

  constructor(retryMs: number, log: Logger, closing: AbortSignal) {
    this.#retryMs = retryMs;
    this.#log = log;
    this.#closing = closing;
  }

  /** Does it at once, or after what waits of the same container. A step that throws has done nothing. */
  take(id: ContainerId, step: () => void): void {
    const before = this.#waiting.get(id);
    if (before !== undefined) return void before.push(step);
    try {
      step();
    } catch (error) {
      this.#log.error(
        { container: id, err: error },
        'What happened to a container could not be saved; this is tried again.',
      );
      const waiting = [step];
      this.#waiting.set(id, waiting);
      this.#again(id, waiting);
    }
  }

  #again(id: ContainerId, waiting: (() => void)[]): void {
    setTimeout(() => {
      if (this.#closing.aborted) return; // the next daemon finds it on the disk
      try {
        for (; waiting.length > 0; waiting.shift()) waiting[0]!();
        this.#waiting.delete(id);
        this.#log.info({ container: id }, 'What happened to a container has now been saved.');
      } catch {
        this.#again(id, waiting); // told when it happened first
      }
    }, this.#retryMs).unref();
  }
}
