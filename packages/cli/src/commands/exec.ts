// Owns `twofold exec`: a further command in a running container.

import { Command } from 'commander';
import { gather } from '@twofold/verbs/options.ts';
import { withDaemon } from '../output.ts';
import { pump, terminalSize } from '../session/pump.ts';

interface ExecWords {
  interactive?: true;
  tty?: true;
  detach?: true;
  env: string[];
  user?: string;
  workdir?: string;
}

export function register(program: Command): void {
  program
    .command('exec')
    .description('Runs another command in a running container, inside its isolation.')
    .argument('<container>')
    .argument('<command...>')
    .option('-i, --interactive', 'pass standard input on')
    .option('-t, --tty', 'allocate a terminal')
    .option('-d, --detach', 'run in the background')
    .option('-e, --env <NAME=value>', 'environment', gather, [])
    .option('-u, --user <user>', 'user, or user:group')
    .option('-w, --workdir <directory>', 'working directory')
    .passThroughOptions()
    .action(async (container: string, words: string[], options: ExecWords, command: Command) => {
      process.exitCode = await withDaemon(command, async (twofold) => {
        const size = options.tty === true ? terminalSize() : undefined;
        const request = {
          command: words,
          stdin: options.interactive === true,
          tty: options.tty === true,
          env: options.env,
          ...(options.user === undefined ? {} : { user: options.user }),
          ...(options.workdir === undefined ? {} : { workingDirectory: options.workdir }),
          ...(size === undefined ? {} : { size }),
        };
        if (options.detach === true) {
          await twofold.containers.execs.runDetached(container, request);
          return 0;
        }
        await using exec = await twofold.containers.exec(container, request);
        await pump(exec.session, { stdin: request.stdin, tty: request.tty, resize: exec.resize });
        return exec.exitCode();
      });
    });
}
