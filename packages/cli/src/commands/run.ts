// Owns `twofold run`: create, attach, start, and end as the container ends.

import { Command } from 'commander';
import { TwofoldApiError, type StartStep, type Twofold } from '@twofold/sdk';
import { ExitWith } from '@twofold/verbs/failure.ts';
import { renderTable } from '@twofold/verbs/output.ts';
import { print, tell, withDaemon } from '../output.ts';
import { addRunOptions, createRequest, type RunOptions } from '../session/options.ts';
import { pump } from '../session/pump.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

interface Traced {
  trace?: true;
}

export function register(program: Command): void {
  addRunOptions(program.command('run').helpOption('--help', 'tell more'))
    .option('--trace', 'print the steps of the start with their times to standard error')
    .description('Runs a command in a new container. Exits with the exit code of the command, as docker does.')
    .argument('<image>')
    .argument('[command...]')
    .passThroughOptions()
    .action(async (image: string, words: string[], options: RunOptions & Traced, command: Command) => {
      process.exitCode = await withDaemon(command, (twofold) => run(twofold, image, words, options));
    });
}

async function run(
  twofold: Twofold,
  image: string,
  words: readonly string[],
  options: RunOptions & Traced,
): Promise<number> {
  const request = createRequest(image, words, options);
  if (options.detach === true) {
    const { id, warnings } = await twofold.containers.create(request);
    for (const warning of warnings) tell(`WARNING: ${warning}`);
    const steps = await twofold.containers.start(id);
    if (options.trace === true) tellSteps(steps);
    print(id);
    return 0;
  }
  const running = await twofold.containers.run(request).catch((error: unknown) => {
    throw failedStart(error);
  });
  await using _held = running;
  const { id, session, exit, steps } = running;
  if (options.trace === true) tellSteps(steps);
  using undo = new DisposableStack();
  if (options.tty !== true) {
    for (const name of signals) {
      // A container that has ended meanwhile is told of by its exit.
      const forward = (): void => void twofold.containers.kill(id, name).catch(() => undefined);
      process.on(name, forward);
      undo.defer(() => process.off(name, forward));
    }
  }
  await pump(session, {
    stdin: options.interactive === true,
    tty: options.tty === true,
    resize: (size) => twofold.containers.resize(id, size),
  });
  const { statusCode, error } = await exit;
  if (error !== undefined) tell(`twofold: ${error}`);
  return statusCode;
}

function tellSteps(steps: readonly StartStep[]): void {
  tell(
    renderTable(
      ['STEP', 'BEGAN', 'TOOK', ''],
      steps.map(({ name, beganMs, tookMs, note }) => [
        name,
        `${beganMs.toFixed(1)} ms`,
        `${tookMs.toFixed(1)} ms`,
        note ?? '',
      ]),
    ),
  );
}

/** Docker's exit codes of a run that did not come about: 127 not found, 126 not executable, 125 anything else. */
function failedStart(error: unknown): unknown {
  if (!(error instanceof TwofoldApiError)) return error;
  tell(`twofold: ${error.message}`);
  if (/executable file not found|no such file or directory/i.test(error.message)) return new ExitWith(127);
  if (/permission denied/i.test(error.message)) return new ExitWith(126);
  return new ExitWith(125);
}
