// Owns the times of the steps of one piece of work, for those who ask why a start is slow (`--log-level debug` tells). Knows no steps.

export class Trace {
  readonly #began = performance.now();
  readonly #steps: Record<string, number> = {};

  /** Times `work` under a name; steps may overlap. */
  async step<T>(name: string, work: Promise<T> | T): Promise<T> {
    const began = performance.now();
    try {
      return await work;
    } finally {
      this.#steps[name] = round((this.#steps[name] ?? 0) + performance.now() - began);
    }
  }

  /** Milliseconds of each step, in the order in which they ended, and of the whole. */
  report(): Record<string, number> {
    return { ...this.#steps, total: round(performance.now() - this.#began) };
  }
}

const round = (ms: number): number => Math.round(ms * 10) / 10;
