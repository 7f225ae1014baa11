// Owns `twofold start`.

import type { Command } from 'commander';
import { forEach } from './each.ts';

export function register(program: Command): void {
  program.command('start')
    .description('Starts containers that have ended or were only created.')
    .argument('<container...>')
    .action((names: string[], _options: unknown, command: Command) => forEach(command, names, async (twofold, name) => void await twofold.containers.start(name)));
}
