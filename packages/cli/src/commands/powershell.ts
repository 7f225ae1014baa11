// Owns `twofold powershell`: PowerShell in the place of this process, with the module. The words behind are its own.

import { isatty } from 'node:tty';
import type { Command } from 'commander';
import type { Address } from '@twofold/verbs/client.ts';
import { socketPathOf } from '@twofold/verbs/connect.ts';
import { placesOf } from '../places.ts';
import { findPowerShell } from '../powershell/find.ts';
import { pwshWords } from '../powershell/words.ts';
import { moduleSource } from '../setup/steps/powershell-module.ts';

export function register(program: Command): void {
  program
    .command('powershell')
    .description(
      'PowerShell with the module Containers: -File, -Command, a script on standard input, or a prompt. Uses pwsh (7.4 or newer) where it is installed.',
    )
    .argument('[words...]')
    .helpOption('--help', "shows this help; -Help shows PowerShell's own")
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (words: string[], _options: unknown, command: Command) => {
      const address = command.optsWithGlobals<Address>();
      const environment = { ...process.env, TWOFOLD_HOST: `unix://${socketPathOf(address, process.env)}` };
      const file = await findPowerShell(placesOf().libRoot, process.env['PATH'] ?? '', new AbortController().signal);
      // Without process.stdin, which would make reading from the terminal fail where it has to wait.
      const rest = pwshWords(words, { module: moduleSource, isTerminal: isatty(0) });
      // Terminal, signals and exit code are then its own.
      process.execve!(file, [file, ...rest], environment);
    });
}
