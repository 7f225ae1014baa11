// Owns `twofold demo`: set-up, the daemon, the main job shown, and what to try next. Again and again without harm.

import type { Command } from 'commander';
import { TwofoldError } from '@twofold/contract';
import { Twofold } from '@twofold/sdk';
import { explained } from '@twofold/verbs/connect.ts';
import { startDaemon } from '../daemon/start.ts';
import { daemonWords, wordsBefore, settingsOf } from '../daemon/words.ts';
import { show } from '../demo/show.ts';
import { paint, print } from '../output.ts';
import { setUp } from './setup.ts';

const startTimeoutMs = 60_000;

export function register(program: Command): void {
  program
    .command('demo')
    .description(
      'Sets the machine up, starts the daemon, runs the same image under both isolations and shows what differs. Leaves the daemon running.',
    )
    .action(async (_options: unknown, command: Command) => demo(daemonWords(command)));
}

async function demo(words: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new TwofoldError(
      'forbidden',
      'The demo sets the machine up and starts the daemon, which needs root: run it with sudo.',
    );
  await setUp({});
  const settings = settingsOf(words);
  await startDaemon(settings, words, startTimeoutMs);
  await using twofold = new Twofold({ socketPath: settings.socket });
  try {
    await show(twofold);
  } catch (error) {
    throw explained(error, settings.socket);
  }
  const named = wordsBefore(settings);
  print(
    [
      '',
      paint('bold', 'The daemon keeps running. Next, try the stock docker CLI:'),
      `  export DOCKER_HOST=unix://${settings.socket}`,
      '  docker run --rm -it nanoserver cmd',
      '  docker run --rm -it --isolation=hyperv nanoserver cmd',
      '  docker run --rm --isolation=hyperv windowsservercore cat /etc/os-release',
      "and Twofold's own:",
      `  twofold ${named}ps -a             containers with their isolation`,
      `  twofold ${named}compute           worker processes`,
      `  twofold ${named}doctor            what this machine has, and what it means`,
      `  sudo twofold ${named}down         stop the daemon (--purge removes everything)`,
    ].join('\n'),
  );
}
