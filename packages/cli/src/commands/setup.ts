// Owns `twofold setup`: the steps, told as they go.

import type { Command } from 'commander';
import { TwofoldError } from '@twofold/contract';
import { here, paint, tell } from '../output.ts';
import { placesOf } from '../places.ts';
import { installService } from '../setup/service.ts';
import { runSteps } from '../setup/course.ts';
import { emulationNotice, readAccelerator } from '../setup/steps/accelerator.ts';
import { steps } from '../setup/steps.ts';
import { testTools } from '../setup/steps/test-tools.ts';
import { testedPrograms } from '../setup/steps/tested-programs.ts';

export function register(program: Command): void {
  program
    .command('setup')
    .description('Installs and builds what Twofold needs on this machine. Safe to repeat; continues where it stopped.')
    .option('--lib-root <directory>', 'where built parts go')
    .option('--tests', 'also install what only the tests use')
    .option('--service', 'also install the systemd units, and enable that of the default instance')
    .action(async (options: { libRoot?: string; service?: true; tests?: true }) => {
      await setUp(options);
      if (options.service !== true) return;
      await installService(placesOf(options).libRoot);
      tell('The service is installed and enabled; `twofold up` starts it.');
    });
}

/** All of set-up, as `demo` and the tests do it too. */
export async function setUp(
  options: { libRoot?: string; tests?: true },
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new TwofoldError('forbidden', 'Set-up installs packages and needs root: run it with sudo.');
  process.umask(0o022); // what is installed is for root to write, whatever its shell has set
  const places = placesOf(options);
  const started = performance.now();
  const progress = (line: string): void => tell(paint('dim', `      ${line.slice(0, 160)}`, here.stderr));
  await runSteps(
    options.tests === true ? [...steps, testTools, testedPrograms] : steps,
    { places, progress, signal },
    {
      found: (step, detail) => tell(`${paint('green', '  ok', here.stderr)}  ${step.title}: ${detail}`),
      begin: (step) => tell(`  ..  ${step.title}`),
      without: (step, reason) =>
        tell(`${paint('yellow', '  --', here.stderr)}  ${step.title}: ${reason} ${step.purpose}`),
      done: (step, detail, tookMs) =>
        tell(`${paint('green', '  ok', here.stderr)}  ${step.title}: ${detail} (${(tookMs / 1000).toFixed(1)} s)`),
    },
  );
  if ((await readAccelerator(places.libRoot))?.accelerator === 'tcg')
    tell(`\n${paint('yellow', `WARNING: ${emulationNotice}`, here.stderr)}\n`);
  tell(`Set-up is complete (${((performance.now() - started) / 1000).toFixed(1)} s).`);
}
