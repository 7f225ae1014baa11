// Owns `twofold attach`: the terminal on a running container's main process.

import type { Command } from 'commander';
import { TwofoldError } from '@twofold/contract';
import { tell, withDaemon } from '../output.ts';
import { pump } from '../session/pump.ts';

export function register(program: Command): void {
  program
    .command('attach')
    .description("Attaches to the streams of a running container's main process. Ctrl+P Ctrl+Q detaches.")
    .argument('<container>')
    .option('--no-stdin', 'do not pass standard input on')
    .option('--detach-keys <keys>', 'the keys that detach, in the notation of docker')
    .action(async (container: string, options: { stdin: boolean; detachKeys?: string }, command: Command) => {
      process.exitCode = await withDaemon(command, async (twofold) => {
        const { Config, State, Id } = await twofold.containers.inspect(container);
        if (!State.Running)
          throw new TwofoldError(
            'container-not-running',
            `${container} is not running: start it first (twofold start ${container}).`,
          );
        const stdin = options.stdin && Config.OpenStdin === true;
        const { exit } = await twofold.containers.beginWait(Id);
        await using session = await twofold.containers.attach(Id, {
          stdin,
          ...(options.detachKeys === undefined ? {} : { detachKeys: options.detachKeys }),
        });
        await pump(session, { stdin, tty: Config.Tty === true, resize: (size) => twofold.containers.resize(Id, size) });
        if ((await twofold.containers.inspect(Id)).State.Running) {
          tell('detached');
          return 0;
        }
        return (await exit).statusCode;
      });
    });
}
