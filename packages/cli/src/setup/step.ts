// Owns what a step of set-up is. Terms: `check` looks whether its outcome is there (quick, changes nothing), `mend`
// brings it about, `inputs` is all that the outcome depends on: when that changes, the step is done again though its
// outcome is there.

import type { Places } from '../places.ts';

export interface Context {
  readonly places: Places;
  /** A line of progress. */
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

export type Finding =
  | { readonly there: true; readonly detail: string }
  | { readonly there: false; readonly detail: string };

export interface Step {
  /** Short and stable: the name of its stamp, and doctor's. */
  readonly name: string;
  readonly title: string;
  /** What does not work without it. */
  readonly purpose: string;
  /** The machine works without it: what keeps it from being brought about is said, and set-up goes on. */
  readonly optional?: true;
  /** How a person would mend it by hand. */
  readonly byHand: string;
  inputs(context: Context): Promise<readonly (string | Uint8Array)[]>;
  check(context: Context): Promise<Finding>;
  mend(context: Context): Promise<void>;
}
