// Owns `twofold down`: stops a daemon, and with --purge takes away all that is its own on this machine, and what set-up
// brought when nobody else needs it.

import type { Command } from 'commander';
import { TwofoldError } from '@twofold/contract';
import { ask } from '../daemon/ask.ts';
import { daemonPid, stopDaemon } from '../daemon/stop.ts';
import { daemonWords, wordsBefore, nameOf, settingsOf } from '../daemon/words.ts';
import { here, paint, print, tell } from '../output.ts';
import { confirm } from '../purge/confirm.ts';
import { removeInstallation } from '../purge/installation.ts';
import { planPurge } from '../purge/plan.ts';
import { disableUnit } from '../purge/unit.ts';
import { sweep } from '@twofold/daemon/sweep.ts';
import type { Settings } from '@twofold/daemon/settings.ts';

const stopTimeoutMs = 45_000;
const removeTimeoutMs = 60_000;

interface Options {
  readonly purge?: true;
  readonly keepSetup?: true;
  readonly yes?: true;
}

export function register(program: Command): void {
  program
    .command('down')
    .description(
      "Stops the daemon of the instance, or of the default one without --instance; containers keep running. --purge removes everything that belongs to it. Also takes the daemon's flags, as they were given to `up`.",
    )
    .option('--purge', 'remove containers, images, switches and data of this daemon')
    .option('--keep-setup', 'with --purge: leave what set-up built (programs, kernel, base images)')
    .option('--yes', 'with --purge: do not ask')
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (options: Options, command: Command) => down(daemonWords(command), options));
}

async function down(words: readonly string[], options: Options): Promise<void> {
  const settings = settingsOf(words);
  if (process.getuid?.() !== 0) throw new TwofoldError('forbidden', 'Only root can stop the daemon: run it with sudo.');
  if (options.purge === true) return purge(settings, options);
  const stopped = await stopDaemon(settings, stopTimeoutMs);
  print(
    stopped
      ? `twofoldd of ${nameOf(settings)} is down. Containers keep running; \`twofold ${wordsBefore(settings)}up\` finds them again.`
      : `twofoldd of ${nameOf(settings)} was not up.`,
  );
}

async function purge(settings: Settings, { keepSetup, yes }: Options): Promise<void> {
  const plan = await planPurge(settings, keepSetup === true);
  tell(plan.sentences.join('\n'));
  if (yes !== true) await confirm();
  // While it lives the daemon ends containers as they should end; what is left after that is swept.
  if ((await daemonPid(settings)) !== null) await removeContainers(settings);
  await stopDaemon(settings, stopTimeoutMs);
  const stays = await sweep(settings, (what) => tell(paint('dim', `removing: ${what}`, here.stderr)));
  for (const sentence of stays) tell(paint('yellow', sentence, here.stderr));
  await disableUnit(settings.instance);
  if (plan.keepsSetup) return print(`Containers, images, switches and data of ${nameOf(settings)} are gone.`);
  const packages = await removeInstallation(settings.libRoot);
  print(`Containers, images, switches and data of ${nameOf(settings)} are gone, and so is what set-up built.`);
  if (packages.length > 0)
    print(`Packages that set-up installed stay. To remove them: apt-get purge --autoremove ${packages.join(' ')}`);
}

/** Asks the daemon; not another one that may have the socket. */
async function removeContainers({ socket, dataRoot }: Settings): Promise<void> {
  const info = await ask(socket, 'GET', '/info', removeTimeoutMs);
  if (info?.status !== 200 || (JSON.parse(info.body) as { DockerRootDir: string }).DockerRootDir !== dataRoot) return;
  const answer = await ask(socket, 'GET', '/containers/json?all=1', removeTimeoutMs);
  if (answer?.status !== 200) return; // no daemon: the sweep ends them
  for (const { Id } of JSON.parse(answer.body) as { Id: string }[]) {
    tell(paint('dim', `removing: container ${Id.slice(0, 12)}`, here.stderr));
    await ask(socket, 'DELETE', `/containers/${Id}?force=1&v=1`, removeTimeoutMs);
  }
}
