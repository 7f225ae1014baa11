// Owns `twofold compute`: the worker processes of Hyper-V containers, read from the running system, and the hard end of
// one.

import type { Command } from 'commander';
import type { Client } from '../client.ts';
import { withDaemon } from '../connect.ts';
import { formatOption, type Format } from '../options.ts';
import { print, renderTable } from '../output.ts';
import { forEach } from './each.ts';

export function register(program: Command, client: Client): void {
  const compute = program
    .command('compute')
    .description(
      "Lists the worker processes (vmwp) and the containers that they run. The user of a worker is named after its container's GUID.",
    )
    .addOption(formatOption())
    .action(async (options: { format: Format }, command: Command) =>
      withDaemon(command, client, async (twofold) => {
        const workers = await twofold.compute();
        if (options.format === 'json') return print(client, JSON.stringify(workers, null, 2));
        await print(
          client,
          renderTable(
            ['ID', 'NAME', 'OWNER', 'TYPE', 'PID', 'USER'],
            workers.map((one) => [one.Id, one.Name, one.Owner, one.Type, String(one.Pid), one.User]),
          ),
        );
      }),
    );
  compute
    .command('stop')
    .description(
      'Ends workers at once, as if their machines were switched off. Their containers then end with exit code 137.',
    )
    .argument('<id...>', "as listed, or the container's name or id")
    .action((ids: string[], _options: object, command: Command) =>
      forEach(command, client, ids, (twofold, id) => twofold.stopCompute(id)),
    );
}
