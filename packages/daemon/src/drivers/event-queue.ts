// Owns the one stream of events that a driver tells: kept in order, and until somebody reads.

import type { DriverEvent } from './driver.ts';

export class EventQueue {
  readonly #events: DriverEvent[] = [];
  #wake: (() => void) | null = null;

  push(event: DriverEvent): void {
    this.#events.push(event);
    this.#wake?.();
  }

  /** Every event from the first that nobody has read; returns when the signal fires. One reader. */
  async *read(signal: AbortSignal): AsyncGenerator<DriverEvent, void, undefined> {
    const onAbort = () => this.#wake?.();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      while (!signal.aborted) {
        const next = this.#events.shift();
        if (next !== undefined) {
          yield next;
          continue;
        }
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
        this.#wake = null;
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
