// Owns `twofold start`.

import type { Command } from 'commander';
import type { Client } from '../client.ts';
import { forEach } from './each.ts';

export function register(program: Command, client: Client): void {
  program
    .command('start')
    .description('Starts containers that have ended or were only created.')
    .argument('<container...>')
    .action((names: string[], _options: unknown, command: Command) =>
      forEach(command, client, names, async (twofold, name) => void (await twofold.containers.start(name))),
    );
}
