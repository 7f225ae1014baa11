// Owns `twofold ps`: the containers, with the isolation of each.

import type { Command } from 'commander';
import type { Client } from '../client.ts';
import { withDaemon } from '../connect.ts';
import { formatOption, gather, type Format } from '../options.ts';
import { print, printEach, renderTable } from '../output.ts';

export function register(program: Command, client: Client): void {
  program
    .command('ps')
    .description('Lists containers.')
    .option('-a, --all', 'also those that are not running')
    .option('-q, --quiet', 'ids only')
    .option('-f, --filter <name=value>', "docker's filters, and isolation=process|hyperv", gather, [])
    .addOption(formatOption())
    .action(async (options: { all?: true; quiet?: true; filter: string[]; format: Format }, command: Command) =>
      withDaemon(command, client, async (twofold) => {
        const filters = new Map<string, string[]>();
        for (const filter of options.filter) {
          const at = filter.indexOf('=');
          const name = filter.slice(0, at);
          filters.set(name, [...(filters.get(name) ?? []), filter.slice(at + 1)]);
        }
        const containers = await twofold.containers.list({
          all: options.all === true,
          filters: Object.fromEntries(filters),
        });
        if (options.quiet === true)
          return printEach(
            client,
            containers.map(({ Id }) => Id.slice(0, 12)),
          );
        if (options.format === 'json') return print(client, JSON.stringify(containers, null, 2));
        await print(
          client,
          renderTable(
            ['CONTAINER ID', 'IMAGE', 'COMMAND', 'STATUS', 'ISOLATION', 'NAME'],
            containers.map((one) => [
              one.Id.slice(0, 12),
              one.Image,
              shortened(one.Command),
              one.Status,
              one.Twofold.Isolation,
              one.Names[0]!.slice(1),
            ]),
          ),
        );
      }),
    );
}

function shortened(text: string): string {
  return `"${text.length > 24 ? `${text.slice(0, 23)}…` : text}"`;
}
