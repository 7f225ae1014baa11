// Owns letting only so many pieces of work run at the same time; the others wait in order.

import { TwofoldError } from '@twofold/contract';

export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** Runs `work` when a place is free. Rejects with `cancelled` when `signal` fires before. */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    using _place = await this.take(signal);
    return await work();
  }

  /**
   * Waits for a place, which is had until it is disposed of (once or more). Rejects with `cancelled` when `signal`
   * fires before.
   */
  async take(signal: AbortSignal): Promise<Disposable> {
    await this.#enter(signal);
    let taken = true;
    return {
      [Symbol.dispose]: () => {
        if (!taken) return;
        taken = false;
        const next = this.#waiting.shift();
        if (next === undefined) this.#free++;
        else next();
      },
    };
  }

  #enter(signal: AbortSignal): Promise<void> {
    if (signal.aborted)
      return Promise.reject(
        new TwofoldError('cancelled', 'The work was cancelled before its turn came.', { cause: signal.reason }),
      );
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve();
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const enter = () => {
      signal.removeEventListener('abort', leave);
      resolve();
    };
    const leave = () => {
      this.#waiting.splice(this.#waiting.indexOf(enter), 1);
      reject(new TwofoldError('cancelled', 'The work was cancelled before its turn came.', { cause: signal.reason }));
    };
    signal.addEventListener('abort', leave, { once: true });
    this.#waiting.push(enter);
    return promise;
  }
}
