// Owns the order of set-up and its resumption: each step is left alone, done, or done again. What a step does is its
// own file's.

import { TwofoldError } from '@twofold/contract';
import { libraryParts } from '../places.ts';
import { keyOf, readStamp, writeStamp } from './stamps.ts';
import type { Context, Step } from './step.ts';

/** Told of each step as it goes. */
export interface Teller {
  found(step: Step, detail: string): void;
  begin(step: Step): void;
  done(step: Step, detail: string, tookMs: number): void;
  /** An optional step could not be done. */
  without(step: Step, reason: string): void;
}

/**
 * Brings the machine to where every step's outcome is there. Safe to repeat and to break off: it takes up where it
 * stopped.
 */
export async function runSteps(steps: readonly Step[], context: Context, teller: Teller): Promise<void> {
  const stamps = libraryParts(context.places.libRoot).stamps;
  for (const step of steps) {
    context.signal.throwIfAborted();
    const key = keyOf(await step.inputs(context));
    const before = await step.check(context);
    if (before.there && (await readStamp(stamps, step.name)) === key) {
      teller.found(step, before.detail);
      continue;
    }
    teller.begin(step);
    const started = performance.now();
    try {
      await step.mend(context);
    } catch (cause) {
      context.signal.throwIfAborted();
      if (step.optional === true) {
        teller.without(step, cause instanceof Error ? cause.message : String(cause));
        continue;
      }
      throw new TwofoldError(
        'internal',
        `Set-up stopped at "${step.title}". What is done stays done: the same command continues here. By hand: ${step.byHand}`,
        { cause },
      );
    }
    const after = await step.check(context);
    if (!after.there)
      throw new TwofoldError(
        'internal',
        `Set-up ran "${step.title}", but it is still not right: ${after.detail}. By hand: ${step.byHand}`,
      );
    // Inputs are read again: an earlier part of this step may have brought what they look at.
    await writeStamp(stamps, step.name, keyOf(await step.inputs(context)));
    teller.done(step, after.detail, performance.now() - started);
  }
}
