// Owns `twofold switches`: the virtual switches and what is on them.

import type { Command } from 'commander';
import { withDaemon } from '../connect.ts';
import { formatOption, print, renderTable, type Format } from '../output.ts';

export function register(program: Command): void {
  program.command('switches')
    .description('Lists the virtual switches. Docker sees them as networks.')
    .addOption(formatOption())
    .action(async (options: { format: Format }, command: Command) => withDaemon(command, async (twofold) => {
      const switches = await twofold.switches();
      if (options.format === 'json') return print(JSON.stringify(switches, null, 2));
      print(renderTable(['NAME', 'TYPE', 'BRIDGE', 'SUBNET', 'GATEWAY', 'CONTAINERS'], switches.map((one) =>
        [one.Name, one.SwitchType, one.Bridge, one.Subnet, one.Gateway, one.Endpoints.map((endpoint) => endpoint.ContainerName).join(', ')])));
    }));
}
