// Owns the order of work on one container: one thing at a time, first come, first served. Knows nothing of containers.

import { TwofoldError } from '@twofold/contract';

export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Nothing runs and nothing waits. */
  get idle(): boolean {
    return this.#waiting === 0;
  }

  /**
   * Runs `work` after all that was asked for before. A caller who gives up while waiting gets `cancelled`, and its work
   * is left out.
   */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    this.#waiting++;
    const done = () => {
      this.#waiting--;
      resolve();
    };
    try {
      await orAborted(before, signal);
    } catch (error) {
      // The place in the line is kept until those before are through, or two would run at once.
      void before.then(done);
      throw error;
    }
    try {
      return await work();
    } finally {
      done();
    }
  }
}

/** Waits for `promise` or for the signal, whichever is first. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(new TwofoldError('cancelled', 'The request was cancelled.', { cause: signal.reason }));
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
