// Owns having a VM that others are forked from: one at a time, and another when it is lost.
//
//   none ─begin▶ making ─▶ there ─dies, or a fork of it failed▶ none ─after a while (back-off.ts)▶ making
//
// Does not own how one is made (parent.ts), nor what comes of it.

import type { Aid, Warn } from '../driver.ts';
import { BackOff, inSeconds, type BackOffLimits } from './back-off.ts';
import type { Parent } from './parent.ts';

export interface ParentsOptions {
  /** Null where there is nothing to make one of: `begin` is called again when there is. */
  readonly make: () => Promise<Parent | null>;
  readonly retry: BackOffLimits;
  readonly warn: Warn;
  /** None is made any more then. */
  readonly closing: AbortSignal;
}

export class Parents implements AsyncDisposable {
  readonly #options: ParentsOptions;
  readonly #backOff: BackOff;
  #parent: Parent | null = null;
  #making: Promise<void> | null = null;
  #ending: Promise<void> = Promise.resolve();
  #again: NodeJS.Timeout | undefined;

  constructor(options: ParentsOptions) {
    this.#options = options;
    this.#backOff = new BackOff(options.retry);
  }

  get aid(): Aid {
    const name = 'VM parent';
    const { againInMs } = this.#backOff;
    if (againInMs !== null) return { name, state: 'failed', againInMs };
    return { name, state: this.#parent === null ? 'making' : 'ready' };
  }

  /** Null while there is none. */
  get present(): Parent | null {
    return this.#parent;
  }

  /** Settled when none is being made: the one that there is, or null. */
  async settled(): Promise<Parent | null> {
    await this.#making;
    return this.#parent;
  }

  /** Makes one in the background, unless there is one or it is being made. */
  begin(): void {
    if (this.#parent !== null || this.#making !== null || this.#options.closing.aborted) return;
    clearTimeout(this.#again);
    this.#making = this.#make().finally(() => {
      this.#making = null;
    });
  }

  /** Of `parent` nothing can be forked any more. VMs are clones until there is another. */
  async lose(parent: Parent, error: unknown): Promise<void> {
    if (this.#parent !== parent) return;
    this.#parent = null;
    this.#ending = parent[Symbol.asyncDispose]().catch((failed: unknown) =>
      this.#options.warn('The remains of the utility VM that others were forked from could not be removed.', {
        err: failed,
      }),
    );
    this.#failed('The utility VM that others are forked from is lost', error);
    await this.#ending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#again);
    await this.#making;
    await this.#ending;
    await this.#parent?.[Symbol.asyncDispose]();
    this.#parent = null;
  }

  async #make(): Promise<void> {
    const { closing } = this.#options;
    try {
      await this.#ending;
      const parent = await this.#options.make();
      if (parent === null) return;
      this.#parent = parent;
      this.#backOff.succeeded();
      void parent.gone.then((why) => (closing.aborted ? undefined : this.lose(parent, why)));
    } catch (error) {
      if (!closing.aborted) this.#failed('The utility VM that others are forked from could not be made', error);
    }
  }

  #failed(sentence: string, error: unknown): void {
    const againMs = this.#backOff.failed();
    const { warn } = this.#options;
    warn(`${sentence}: VMs are cloned instead, which takes longer. It is made again in ${inSeconds(againMs)}.`, {
      err: error,
    });
    this.#again = setTimeout(() => this.begin(), againMs).unref();
  }
}
