// Owns `twofold up`: the daemon in the background (or in the foreground), and what to do next.

import { Command, Option } from 'commander';
import { TwofoldError } from '@twofold/contract';
import { daemonCommand, lackingParts, logFileOf, startDaemon } from '../daemon/start.ts';
import { daemonWords, wordsBefore, settingsOf } from '../daemon/words.ts';
import { here, paint, print, tell } from '../output.ts';
import { emulationNotice, readAccelerator } from '../setup/steps/accelerator.ts';

const startTimeoutMs = 60_000;

export function register(program: Command): void {
  program
    .command('up')
    .description(
      "Starts the daemon and waits until it answers. Also takes the daemon's flags (--data-root, --exec-root, --exec-opt, …; docs/daemon.md lists them all).",
    )
    .addOption(new Option('--foreground', 'stay in the foreground, and write the log to standard error'))
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (options: { foreground?: true }, command: Command) =>
      up(daemonWords(command), options.foreground === true),
    );
}

async function up(words: readonly string[], foreground: boolean): Promise<void> {
  const settings = settingsOf(words);
  if (process.getuid?.() !== 0)
    throw new TwofoldError(
      'forbidden',
      'The daemon works with cgroups, bridges and virtual machines and needs root: run it with sudo.',
    );
  if (foreground) {
    const lacking = await lackingParts(settings.libRoot);
    if (lacking.length > 0)
      throw new TwofoldError('conflict', `Set-up is not complete (${lacking.join(', ')}). Run: sudo twofold setup`);
    const [program, ...rest] = daemonCommand(settings.libRoot, words);
    process.emitWarning = () => undefined; // execve is stable in its use here, and its notice would be the log's first line
    process.execve!(program, [program, ...rest], process.env);
  }
  const outcome = await startDaemon(settings, words, startTimeoutMs);
  if ((await readAccelerator(settings.libRoot))?.accelerator === 'tcg' && settings.accelerator !== 'kvm')
    tell(paint('yellow', `WARNING: ${emulationNotice}`, here.stderr));
  print(
    [
      `twofoldd is ${outcome === 'started' ? 'up' : 'already up'}: unix://${settings.socket} (log: ${logFileOf(settings)})`,
      '',
      'With the docker CLI:',
      `  export DOCKER_HOST=unix://${settings.socket}`,
      '  docker run --rm -it nanoserver cmd',
      '  docker run --rm -it --isolation=hyperv nanoserver cmd',
      `With Twofold's own: twofold ${wordsBefore(settings)}ps`,
    ].join('\n'),
  );
}
