// Owns `twofold rm`.

import type { Command } from 'commander';
import type { Client } from '../client.ts';
import { forEach } from './each.ts';

export function register(program: Command, client: Client): void {
  program
    .command('rm')
    .description('Removes containers.')
    .argument('<container...>')
    .option('-f, --force', 'also running ones')
    .action((names: string[], options: { force?: true }, command: Command) =>
      forEach(command, client, names, (twofold, name) =>
        twofold.containers.remove(name, { force: options.force === true }),
      ),
    );
}
