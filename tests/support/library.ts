// Owns where the tests find what set-up built. A checkout on a machine that is set up has built nothing for users
// itself, so nothing of that is looked for in it; native programs as tests run them are its own.

import { join } from 'node:path';
import { testedLibrary } from '../../packages/cli/src/setup/steps/tested-programs.ts';
import { defaults } from '../../packages/daemon/src/settings.ts';

export const libRoot = defaults.libRoot;
/** The same, with programs that find errors of memory in themselves wherever they run on the host. */
export { testedLibrary };

/** Path of one of the native programs, as tests that speak to it directly run it. */
export const program = (name: string): string => join(testedLibrary, 'bin', name);
