// Owns the shape of verbs that do one thing to several containers: each is tried, each failure is told, and one failure
// makes the exit code 1.

import type { Command } from 'commander';
import type { Twofold } from '@twofold/sdk';
import type { Client } from '../client.ts';
import { explained, withDaemon } from '../connect.ts';
import { ExitWith, explain } from '../failure.ts';
import { print } from '../output.ts';

/** Does `work` for each of `names` and prints the name where it went well. */
export function forEach(
  command: Command,
  client: Client,
  names: readonly string[],
  work: (twofold: Twofold, name: string) => Promise<void>,
): Promise<void> {
  return withDaemon(command, client, async (twofold) => {
    let failed = 0;
    for (const name of names) {
      try {
        await work(twofold, name);
        await print(client, name);
      } catch (error) {
        failed = await explain(explained(error, twofold.socketPath), client);
      }
    }
    if (failed !== 0) throw new ExitWith(failed);
  });
}
