// Owns the times of the steps of one piece of work, for those who ask why a start is slow (docs/daemon.md). Knows no
// steps.

export interface TraceStep {
  readonly name: string;
  /** Since the whole began. */
  readonly beganMs: number;
  readonly tookMs: number;
  /** What decides how long it takes. */
  readonly note?: string;
}

export class Trace {
  readonly #began = performance.now();
  readonly #steps: TraceStep[] = [];

  /** Times `work` under a name; steps may overlap. `noteOf` says of its result what is worth knowing. */
  async step<T>(name: string, work: Promise<T> | T, noteOf?: (result: T) => string | undefined): Promise<T> {
    const began = performance.now();
    let note: string | undefined;
    try {
      const result = await work;
      note = noteOf?.(result);
      return result;
    } finally {
      this.#steps.push({
        name,
        beganMs: round(began - this.#began),
        tookMs: round(performance.now() - began),
        ...(note === undefined ? {} : { note }),
      });
    }
  }

  /** In the order in which they began; the whole last, as `total`. */
  steps(): TraceStep[] {
    return [
      ...this.#steps.toSorted((a, b) => a.beganMs - b.beganMs),
      { name: 'total', beganMs: 0, tookMs: round(performance.now() - this.#began) },
    ];
  }

  /** Milliseconds of each step and of the whole, for the log. */
  report(): Record<string, number> {
    const sums: Record<string, number> = {};
    for (const { name, tookMs } of this.steps()) sums[name] = round((sums[name] ?? 0) + tookMs);
    return sums;
  }
}

const round = (ms: number): number => Math.round(ms * 10) / 10;
