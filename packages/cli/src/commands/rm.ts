// Owns `twofold rm`.

import type { Command } from 'commander';
import { forEach } from './each.ts';

export function register(program: Command): void {
  program.command('rm')
    .description('Removes containers.')
    .argument('<container...>')
    .option('-f, --force', 'running ones, too')
    .action((names: string[], options: { force?: true }, command: Command) => forEach(command, names, (twofold, name) => twofold.containers.remove(name, { force: options.force === true })));
}
