// Owns where the tests find what set-up built. A checkout on a machine that is set up has built nothing itself, so
// nothing is looked for in it.

import { join } from 'node:path';
import { defaults } from '../../packages/daemon/src/settings.ts';

export const libRoot = defaults.libRoot;

/** Path of one of the native programs. */
export const program = (name: string): string => join(libRoot, 'bin', name);
