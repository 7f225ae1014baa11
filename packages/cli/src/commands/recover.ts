// Owns `twofold recover`: makes a daemon's database again from what lies in its data root.

import type { Command } from 'commander';
import { TwofoldError } from '@twofold/contract';
import { recover, type Recovered } from '@twofold/daemon/recover.ts';
import { daemonWords, wordsBefore, settingsOf } from '../daemon/words.ts';
import { print } from '../output.ts';

export function register(program: Command): void {
  program
    .command('recover')
    .description(
      'Recovers containers, images and switches from the data root after their database was lost. Deletes nothing. The daemon must be down. Takes the flags that were given to `up`.',
    )
    .allowUnknownOption()
    .allowExcessArguments()
    .action((_options: unknown, command: Command) => run(daemonWords(command)));
}

function run(words: readonly string[]): void {
  const settings = settingsOf(words);
  if (process.getuid?.() !== 0)
    throw new TwofoldError('forbidden', 'Only root can read a data root: run it with sudo.');
  const found: Recovered[] = [];
  recover(settings, (one) => {
    found.push(one);
    print(render(one));
  });
  const failed = found.filter(({ failure }) => failure !== null).length;
  print(
    found.length === 0
      ? 'The database knows everything that is in the data root.'
      : `${found.length - failed} recovered, ${failed} not. Start the daemon: twofold ${wordsBefore(settings)}up`,
  );
  if (failed > 0) process.exitCode = 1;
}

const render = ({ kind, name, failure }: Recovered): string =>
  failure === null ? `recovered: ${kind} ${name}` : `not recovered: ${kind} ${name}, since ${failure}`;
