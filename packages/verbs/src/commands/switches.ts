// Owns `twofold switches`: the virtual switches and what is on them; making and removing one.

import type { Command } from 'commander';
import type { Client } from '../client.ts';
import { withDaemon } from '../connect.ts';
import { formatOption, type Format } from '../options.ts';
import { print, renderTable } from '../output.ts';
import { forEach } from './each.ts';

export function register(program: Command, client: Client): void {
  const switches = program
    .command('switches')
    .description('Lists the virtual switches. Docker sees them as networks.')
    .addOption(formatOption())
    .action(async (options: { format: Format }, command: Command) =>
      withDaemon(command, client, async (twofold) => {
        const found = await twofold.switches();
        if (options.format === 'json') return print(client, JSON.stringify(found, null, 2));
        await print(
          client,
          renderTable(
            ['NAME', 'TYPE', 'BRIDGE', 'SUBNET', 'GATEWAY', 'CONTAINERS'],
            found.map((one) => [
              one.Name,
              one.SwitchType,
              one.Bridge,
              one.Subnet,
              one.Gateway,
              [...new Set(one.Endpoints.map((endpoint) => endpoint.ContainerName))].join(', '),
            ]),
          ),
        );
      }),
    );
  switches
    .command('create')
    .description('Makes a switch.')
    .argument('<name>')
    .option('--subnet <cidr>', 'addresses of the switch; from the address pools by default')
    .option('--gateway <address>', "the host's address on it; the first of the subnet by default")
    .option('--ip-range <cidr>', 'part of the subnet from which addresses are assigned')
    .option('--internal', 'no connection to other networks')
    .action(
      (
        name: string,
        options: { subnet?: string; gateway?: string; ipRange?: string; internal?: true },
        command: Command,
      ) =>
        withDaemon(command, client, async (twofold) => {
          await print(client, (await twofold.networks.create(name, options)).id);
        }),
    );
  switches
    .command('rm')
    .description('Removes switches that no running container is on.')
    .argument('<switch...>')
    .action((names: string[], _options: object, command: Command) =>
      forEach(command, client, names, (twofold, name) => twofold.networks.remove(name)),
    );
}
