// Owns how a verb of the CLI's runs in the daemon: as one more client of its API, on its own socket, with the streams
// that it is given.

import { TwofoldError } from '@twofold/contract';
import type { RunVerb } from './api/context.ts';

/** Verbs, SDK and what they need are loaded by the first verb: a daemon that nobody asks that way is spared them. */
export function verbRunner(socketPath: string): RunVerb {
  return async (words, { signal, ...outputs }) => {
    const [{ askingVerbs, run, verbOf }, { Twofold }] = await Promise.all([
      import('@twofold/verbs/run.ts'),
      import('@twofold/sdk'),
    ]);
    const verb = verbOf(words) ?? '';
    if (!Object.hasOwn(askingVerbs, verb))
      throw new TwofoldError(
        'invalid-argument',
        `The verb "${verb.slice(0, 60)}" does not run in the daemon: only ${Object.keys(askingVerbs).join(', ')} do.`,
      );
    // Whichever daemon the words name: the client has come here.
    return run(words, askingVerbs, { ...outputs, connect: () => new Twofold({ socketPath, signal }) });
  };
}
