// Owns the running of a command line: its global words, which verb it means, and how it ends. Also the table of the
// verbs that only ask the daemon and print: no input, no terminal, no files of the caller's. Those run in the daemon,
// too (docs/decisions/0016-*.md), so native/front has their names. The CLI has more verbs (packages/cli/src/main.ts).

import { Command, CommanderError } from 'commander';
import type { Client } from './client.ts';
import { explain } from './failure.ts';

/** A file in commands/. */
export interface Verb {
  register(program: Command, client: Client): void;
}

/** By name; only the one that was asked for is loaded, since a start counts in tens of milliseconds. */
export type Verbs = Readonly<Record<string, () => Promise<Verb>>>;

export const askingVerbs = {
  compute: () => import('./commands/compute.ts'),
  images: () => import('./commands/images.ts'),
  ps: () => import('./commands/ps.ts'),
  rm: () => import('./commands/rm.ts'),
  start: () => import('./commands/start.ts'),
  stop: () => import('./commands/stop.ts'),
  switches: () => import('./commands/switches.ts'),
} satisfies Verbs;

/** The first word that is no option (nor the value of a global one) is the verb. */
export function verbOf(words: readonly string[]): string | undefined {
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index]!;
    if (word === '-H' || word === '--host' || word === '--instance') index += 1;
    else if (!word.startsWith('-')) return word;
  }
  return undefined;
}

/**
 * Runs `words` with one of `verbs` and resolves with the exit code; all that there is to say has been written to the
 * client's streams.
 */
export async function run(words: readonly string[], verbs: Verbs, client: Client): Promise<number> {
  const program = new Command('twofold')
    .description(
      'A container engine with two isolation levels behind one front: namespaces, or a utility VM for each container.',
    )
    .option('-H, --host <address>', "the daemon's socket, unix:///run/twofold/twofold.sock (or TWOFOLD_HOST)")
    .option('--instance <name>', 'the daemon of that instance, where there are several (or TWOFOLD_INSTANCE)')
    .version('0.1.0')
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError('(see --help)')
    .configureOutput({
      writeOut: (text) => void client.stdout.write(text),
      writeErr: (text) => void client.stderr.write(text),
      getOutHelpWidth: () => client.stdout.columns ?? widthWithoutTerminal,
      getErrHelpWidth: () => client.stderr.columns ?? widthWithoutTerminal,
      getOutHasColors: () => client.stdout.colours,
      getErrHasColors: () => client.stderr.colours,
    });
  const name = verbOf(words) ?? '';
  const asked = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  for (const load of asked === undefined ? Object.values(verbs) : [asked]) (await load()).register(program, client);
  try {
    await program.parseAsync(words, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode; // commander has written help or usage itself
    return explain(error, client);
  }
}

/** commander's own. */
const widthWithoutTerminal = 80;
