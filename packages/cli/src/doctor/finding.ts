// Owns what the doctor says about one thing: what is there, what that means, how to mend it.

import type { Context } from '../setup/step.ts';

export interface Finding {
  /** Short and stable, for programs. */
  readonly name: string;
  /** `missing`: something does not work. `warning`: it works, and there is something to know. */
  readonly state: 'ok' | 'warning' | 'missing';
  readonly found: string;
  /** Empty when all is well. */
  readonly meaning: string;
  readonly mend: string;
}

export type Examination = (context: Context) => Promise<Finding>;

export const fine = (name: string, found: string): Finding => ({ name, state: 'ok', found, meaning: '', mend: '' });
