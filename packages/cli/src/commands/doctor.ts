// Owns `twofold doctor`: tells what examine() found, for people or programs. Exit code 1 when something is missing.

import type { Command } from 'commander';
import { instanceAt } from '@twofold/contract';
import { dataRootOf } from '@twofold/daemon/settings.ts';
import type { Address } from '@twofold/verbs/client.ts';
import { socketPathOf } from '@twofold/verbs/connect.ts';
import { formatOption, type Format } from '@twofold/verbs/options.ts';
import { examine } from '../doctor/examine.ts';
import type { Finding } from '../doctor/finding.ts';
import { paint, print } from '../output.ts';
import { placesOf, type Places } from '../places.ts';

const marks = {
  ok: paint('green', '  ok     '),
  warning: paint('yellow', '  warning'),
  missing: paint('red', '  missing'),
} as const;

function render(finding: Finding): string {
  const lines = [`${marks[finding.state]}  ${finding.name}: ${finding.found}`];
  if (finding.meaning !== '') lines.push(`             ${finding.meaning}`);
  if (finding.mend !== '') lines.push(`             fix: ${finding.mend}`);
  return lines.join('\n');
}

export function register(program: Command): void {
  program
    .command('doctor')
    .description('Reports what is there, what is missing, what that means and how to fix it. Changes nothing.')
    .addOption(formatOption())
    .option('--lib-root <directory>', 'where built parts are')
    .option('--data-root <directory>', 'where the daemon keeps its data')
    .action(async (options: Partial<Places> & { format: Format }, command: Command) => {
      const socket = socketPathOf(command.optsWithGlobals<Address>(), process.env);
      const places = placesOf({ dataRoot: dataRootOf(instanceAt(socket)), ...options, socket });
      const findings = await examine({ places, progress: () => undefined, signal: AbortSignal.timeout(60_000) });
      const missing = findings.filter((finding) => finding.state === 'missing').length;
      const warnings = findings.filter((finding) => finding.state === 'warning').length;
      if (options.format === 'json') print(JSON.stringify({ missing, warnings, findings }, null, 2));
      else
        print(
          [
            ...findings.map(render),
            '',
            missing + warnings === 0 ? 'All is well.' : `${missing} missing, ${warnings} to know about.`,
          ].join('\n'),
        );
      process.exitCode = missing > 0 ? 1 : 0;
    });
}
