// Owns `twofold powershell`: which PowerShell runs (an installed pwsh, else the engine's own host) and that it has the
// module. The words behind are its own: -File, -Command, standard input, or a prompt.

import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { TwofoldError } from '@twofold/contract';
import type { Address } from '@twofold/verbs/client.ts';
import { socketPathOf } from '@twofold/verbs/connect.ts';
import { placesOf } from '../places.ts';
import { moduleSource } from '../setup/steps/powershell-module.ts';
import { powershellParts } from '../setup/steps/powershell.ts';

export function register(program: Command): void {
  program
    .command('powershell')
    .description(
      'PowerShell with the module Containers: -File, -Command, a script on standard input, or a prompt. Uses pwsh where it is installed.',
    )
    .argument('[words...]')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (words: string[], _options: unknown, command: Command) => {
      const address = command.optsWithGlobals<Address>();
      const environment = { ...process.env, TWOFOLD_HOST: `unix://${socketPathOf(address, process.env)}` };
      const pwsh = await findPwsh();
      const ours = powershellParts(placesOf().libRoot).program;
      if (pwsh === null && !(await isProgram(ours)))
        throw new TwofoldError(
          'unsupported',
          'There is no PowerShell here: install pwsh, or the .NET SDK 10 and run twofold setup again.',
        );
      const [file, ...rest] = pwsh === null ? [ours, '-Module', moduleSource, ...words] : [pwsh, ...pwshWords(words)];
      // In the place of this process: terminal, signals and exit code are then its own.
      process.execve!(file!, [file!, ...rest], environment);
    });
}

async function findPwsh(): Promise<string | null> {
  for (const directory of (process.env['PATH'] ?? '').split(':'))
    if (directory !== '' && (await isProgram(join(directory, 'pwsh')))) return join(directory, 'pwsh');
  return null;
}

const isProgram = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
const quoted = (word: string): string => `'${word.replaceAll("'", "''")}'`;

/**
 * Pure: pwsh's words for ours. It has no option for a module, so the module is imported by the command that it is
 * given.
 */
export function pwshWords(words: readonly string[]): string[] {
  const load = `Import-Module ${quoted(moduleSource)}`;
  const [first, ...rest] = words;
  const option = first?.toLowerCase().replace(/^[-\u2013]/, '');
  if (first === undefined) return ['-NoLogo', '-NoExit', '-Command', load];
  if ((option === 'command' || option === 'c') && rest[0] !== '-')
    return ['-NoLogo', '-Command', `${load}; ${rest.join(' ')}`];
  if (option === 'file' || option === 'f')
    return [
      '-NoLogo',
      '-Command',
      `${load}; & ${rest.map((word, index) => (index > 0 && /^-[a-z]/i.test(word) ? word : quoted(word))).join(' ')}; exit $LASTEXITCODE`,
    ];
  return [...words];
}
