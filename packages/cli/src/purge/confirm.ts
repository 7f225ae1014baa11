// Owns the question before a purge. Somebody at a terminal says yes; where there is none, the words must have said it.

import { createInterface } from 'node:readline/promises';
import { TwofoldError } from '@twofold/contract';
import { ExitWith } from '@twofold/verbs/failure.ts';
import { tell } from '../output.ts';

/** Returns when the answer is yes; ends the command otherwise. */
export async function confirm(): Promise<void> {
  if (!process.stdin.isTTY)
    throw new TwofoldError(
      'conflict',
      '--purge asks before it removes anything, but there is no terminal. Nothing was removed; give --yes to remove it without a question.',
    );
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const given = new AbortController();
  prompt.once('close', () => given.abort()); // the end of the input is no answer
  prompt.once('SIGINT', () => given.abort());
  const answer = await prompt.question('Go on? [y/N] ', { signal: given.signal }).catch(() => '');
  prompt.close();
  if (/^\s*y(es)?\s*$/i.test(answer)) return;
  tell('Nothing was removed.');
  throw new ExitWith(1);
}
