// Owns when what has failed is tried again: after a while that doubles with each failure in a row, and never not at
// all. Knows neither what it is nor timers.

export interface BackOffLimits {
  readonly firstMs: number;
  readonly mostMs: number;
  /** What has been well for so long has not failed in a row. */
  readonly wellMs: number;
}

/** So much before its time a timer may fire. */
const earlyMs = 2;

export class BackOff {
  readonly #limits: BackOffLimits;
  readonly #nowMs: () => number;
  #failures = 0;
  #dueMs = 0;
  #wellSinceMs: number | null = null;

  constructor(limits: BackOffLimits, nowMs: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#nowMs = nowMs;
  }

  /** Gives the time until it should be tried again. */
  failed(): number {
    const { firstMs, mostMs, wellMs } = this.#limits;
    const nowMs = this.#nowMs();
    if (this.#wellSinceMs !== null && nowMs - this.#wellSinceMs >= wellMs) this.#failures = 0;
    this.#wellSinceMs = null;
    const delayMs = Math.min(firstMs * 2 ** Math.min(this.#failures, 30), mostMs);
    this.#failures += 1;
    this.#dueMs = nowMs + delayMs;
    return delayMs;
  }

  succeeded(): void {
    this.#wellSinceMs ??= this.#nowMs();
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** Null where it may be tried now. */
  get againInMs(): number | null {
    if (this.#failures === 0 || this.#wellSinceMs !== null) return null;
    const leftMs = this.#dueMs - this.#nowMs();
    return leftMs > earlyMs ? leftMs : null;
  }
}

/** For a sentence: `40 s`. */
export const inSeconds = (ms: number): string => `${Math.ceil(ms / 1000)} s`;
