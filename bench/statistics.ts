// Owns the arithmetic of a series of measurements.

export interface Summary {
  /** What is compared: the median of repeated measurements, the mean where a sum is shared out. */
  readonly figure: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/** Median, 10th and 90th percentile of at least one number. */
export function median(values: readonly number[]): Summary {
  const sorted = ordered(values);
  return {
    figure: quantile(sorted, 0.5),
    low: quantile(sorted, 0.1),
    high: quantile(sorted, 0.9),
    count: sorted.length,
  };
}

/** Mean, 10th and 90th percentile of at least one number. */
export function mean(values: readonly number[]): Summary {
  return { ...median(values), figure: sum(values) / values.length };
}

export function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function ordered(values: readonly number[]): number[] {
  if (values.length === 0) throw new RangeError('A series needs at least one measurement.');
  return values.toSorted((a, b) => a - b);
}

function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const below = sorted[Math.floor(at)]!;
  const above = sorted[Math.ceil(at)]!;
  return below + (above - below) * (at - Math.floor(at));
}
