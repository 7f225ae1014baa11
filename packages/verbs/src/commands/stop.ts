// Owns `twofold stop`.

import { InvalidArgumentError, type Command } from 'commander';
import type { Client } from '../client.ts';
import { forEach } from './each.ts';

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError('Use a whole number of seconds; -1 waits for ever.');
  return value;
}

export function register(program: Command, client: Client): void {
  program
    .command('stop')
    .description('Asks containers to end, and ends them by force when they do not.')
    .argument('<container...>')
    .option('-t, --time <seconds>', 'patience', seconds)
    .action((names: string[], options: { time?: number }, command: Command) =>
      forEach(command, client, names, (twofold, name) =>
        twofold.containers.stop(name, options.time === undefined ? {} : { timeoutSeconds: options.time }),
      ),
    );
}
