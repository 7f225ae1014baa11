// Owns `twofold down`: stops the daemon, and with --purge takes away all that it and set-up brought.

import type { Command } from 'commander';
import { TwofoldError } from '@twofold/contract';
import { ask } from '../daemon/ask.ts';
import { stopDaemon } from '../daemon/stop.ts';
import { forgetWords, settingsOf, wordsOrLast } from '../daemon/words.ts';
import { here, paint, print, tell } from '../output.ts';
import { removeInstallation } from '../purge/installation.ts';
import { sweep } from '@twofold/daemon/sweep.ts';

const stopTimeoutMs = 45_000;
const removeTimeoutMs = 60_000;

export function register(program: Command): void {
  program
    .command('down')
    .description(
      'Stops the daemon; containers run on. --purge removes everything. Settings flags as given to `up` are remembered.',
    )
    .option('--purge', 'remove containers, images, switches and data of this daemon')
    .option('--keep-setup', 'with --purge: leave what set-up built (programs, kernel, base images)')
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (options: { purge?: true; keepSetup?: true }, command: Command) =>
      down(await wordsOrLast(command.args), options.purge === true, options.keepSetup === true),
    );
}

async function down(words: readonly string[], purge: boolean, keepSetup: boolean): Promise<void> {
  const settings = settingsOf(words);
  if (process.getuid?.() !== 0) throw new TwofoldError('forbidden', 'Only root can stop the daemon: run it with sudo.');
  // While it lives the daemon ends containers as they should end; what is left after that is swept.
  if (purge) await removeContainers(settings.socket);
  const stopped = await stopDaemon(settings, stopTimeoutMs);
  if (!purge) {
    await forgetWords();
    print(stopped ? 'twofoldd is down. Containers run on; `twofold up` finds them again.' : 'twofoldd was not up.');
    return;
  }
  await sweep(settings, (what) => tell(paint('dim', `removing: ${what}`, here.stderr)));
  await forgetWords();
  if (keepSetup) return print("Twofold's containers, images, switches and data are gone.");
  const packages = await removeInstallation(settings.libRoot);
  print("Twofold's containers, images, switches, data and built parts are gone.");
  if (packages.length > 0)
    print(`Packages that set-up installed stay. To remove them: apt-get purge --autoremove ${packages.join(' ')}`);
}

async function removeContainers(socket: string): Promise<void> {
  const answer = await ask(socket, 'GET', '/containers/json?all=1', removeTimeoutMs);
  if (answer?.status !== 200) return; // no daemon: the sweep ends them
  for (const { Id } of JSON.parse(answer.body) as { Id: string }[]) {
    tell(paint('dim', `removing: container ${Id.slice(0, 12)}`, here.stderr));
    await ask(socket, 'DELETE', `/containers/${Id}?force=1&v=1`, removeTimeoutMs);
  }
}
