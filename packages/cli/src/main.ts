// Owns the CLI's verbs and global options. Each verb is a file in commands/ that exports `register(program)`; only the one that
// was asked for is loaded, since a start counts in tens of milliseconds.

import { Command, CommanderError } from 'commander';
import { explain } from './failure.ts';

interface Verb {
  register(program: Command): void;
}

const verbs: Record<string, () => Promise<Verb>> = {
  attach: () => import('./commands/attach.ts'),
  compute: () => import('./commands/compute.ts'),
  convert: () => import('./commands/convert.ts'),
  demo: () => import('./commands/demo.ts'),
  doctor: () => import('./commands/doctor.ts'),
  down: () => import('./commands/down.ts'),
  exec: () => import('./commands/exec.ts'),
  images: () => import('./commands/images.ts'),
  logs: () => import('./commands/logs.ts'),
  powershell: () => import('./commands/powershell.ts'),
  ps: () => import('./commands/ps.ts'),
  rm: () => import('./commands/rm.ts'),
  run: () => import('./commands/run.ts'),
  setup: () => import('./commands/setup.ts'),
  start: () => import('./commands/start.ts'),
  stop: () => import('./commands/stop.ts'),
  switches: () => import('./commands/switches.ts'),
  up: () => import('./commands/up.ts'),
};

/** The first word that is no option (nor the value of a global one) is the verb. */
function verbOf(words: readonly string[]): string | undefined {
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index]!;
    if (word === '-H' || word === '--host') index += 1;
    else if (!word.startsWith('-')) return word;
  }
  return undefined;
}

async function main(): Promise<number> {
  const program = new Command('twofold')
    .description('A container engine with two isolation levels behind one front: namespaces, or a utility VM for each container.')
    .option('-H, --host <address>', 'the daemon\'s socket, unix:///run/twofold/twofold.sock', process.env['TWOFOLD_HOST'])
    .version('0.1.0')
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError('(--help tells more)');
  const asked = verbs[verbOf(process.argv.slice(2)) ?? ''];
  for (const load of asked === undefined ? Object.values(verbs) : [asked]) (await load()).register(program);
  try {
    await program.parseAsync();
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode; // commander has written help or usage itself
    return explain(error);
  }
}

// `twofold logs … | head`: the reader has enough. Ends as a program that SIGPIPE ends, which Node ignores.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(128 + 13);
});
process.exitCode = await main();
