// Owns `twofold logs`.

import type { Command } from 'commander';
import { withDaemon } from '../output.ts';

interface LogWords {
  follow?: true;
  tail: string;
  since?: string;
  until?: string;
  timestamps?: true;
}

export function register(program: Command): void {
  program
    .command('logs')
    .description('Prints what a container has written: standard output and standard error, each to its own stream.')
    .argument('<container>')
    .option('-f, --follow', 'follow the output until the container ends')
    .option('-n, --tail <lines>', 'number of lines from the end, or all', 'all')
    .option('--since <time>', 'Unix seconds or RFC 3339')
    .option('--until <time>', 'Unix seconds or RFC 3339')
    .option('-t, --timestamps', 'with times')
    .action(async (container: string, options: LogWords, command: Command) =>
      withDaemon(command, async (twofold) => {
        const { tail, ...rest } = options;
        for await (const { stream, data } of twofold.containers.logs(container, {
          ...rest,
          tail: tail === 'all' ? 'all' : Number(tail),
        })) {
          const out = stream === 'stdout' ? process.stdout : process.stderr;
          if (!out.write(data)) await new Promise((resolve) => out.once('drain', resolve));
        }
      }),
    );
}
