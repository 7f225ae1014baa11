// Owns how the steps of a piece of work are told in a header: Server-Timing, which every HTTP client knows or passes
// over. Pure.

import type { TraceStep } from '../engine/trace.ts';

/** `sandbox;dur=8.2;start=0.6;desc="clone", …`: milliseconds; `start` is since the whole began. */
export function serverTiming(steps: readonly TraceStep[]): string {
  return steps
    .map(
      ({ name, beganMs, tookMs, note }) =>
        `${name};dur=${tookMs};start=${beganMs}${note === undefined ? '' : `;desc="${note}"`}`,
    )
    .join(', ');
}
