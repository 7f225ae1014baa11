// Owns `twofold convert`: a stopped container changes its isolation and keeps what it has written.

import { Argument, Option, type Command } from 'commander';
import { TwofoldError, type Isolation } from '@twofold/contract';
import type { Conversion } from '@twofold/sdk';
import { formatOption, type Format } from '@twofold/verbs/options.ts';
import { print, tell, withDaemon } from '../output.ts';

export function register(program: Command): void {
  program
    .command('convert')
    .description(
      'Converts a stopped container from one isolation to the other. What it has written, deleted and changed is the same afterwards.',
    )
    .addArgument(new Argument('<container>', 'name, id, GUID or unique prefix'))
    .addOption(
      new Option('--isolation <word>', 'process or hyperv').choices(['process', 'hyperv']).makeOptionMandatory(),
    )
    .option('--dry-run', 'only say what would happen')
    .addOption(formatOption())
    .action(
      async (container: string, options: { isolation: Isolation; dryRun?: true; format: Format }, command: Command) => {
        const conversion = await withDaemon(command, (twofold) =>
          twofold.containers.convert(container, options.isolation, { dryRun: options.dryRun === true }),
        );
        if (options.format === 'json') return print(JSON.stringify(conversion, null, 2));
        describe(container, conversion);
        if (conversion.Refusals.length > 0)
          throw new TwofoldError('conflict', `${container} cannot be converted in its present state.`);
      },
    );
}

function describe(container: string, conversion: Conversion): void {
  const { From, To, Carries, Changes, Refusals, DryRun } = conversion;
  if (From === To) print(`${container} already has ${To} isolation.`);
  else print(`${container}: ${From} → ${To}${DryRun ? ' (nothing was done)' : ''}`);
  for (const line of Carries) print(`  kept     ${line}`);
  for (const line of Changes) print(`  changes  ${line}`);
  for (const line of Refusals) tell(`  refused  ${line}`);
}
