// Owns the bench's command line.

import { Command, InvalidArgumentError, Option } from 'commander';

export const workNames = ['start', 'exec', 'burst', 'stream', 'stop', 'density', 'daemon', 'alive'] as const;
export type WorkName = (typeof workNames)[number];
/** Works in which nobody but Twofold takes part. */
export const worksAlone: ReadonlySet<WorkName> = new Set(['stop', 'alive']);

export interface Options {
  readonly works: ReadonlySet<WorkName>;
  readonly runs: number;
  readonly heavyRuns: number;
  readonly containers: number;
  readonly idleSeconds: number;
  readonly burst: number;
  readonly stream: number;
  readonly alive: number;
  readonly known: number;
  readonly image: string;
  readonly json?: string;
  readonly plot?: string;
}

const help = `
Works:
  start    docker run --rm IMAGE true; under hyperv with a VM waiting, with none waiting (a fork, and a clone of the template), and with a plain boot
  exec     docker exec C true
  burst    so many containers started at once, until the last has answered an exec
  stream   docker run piping zeros to standard output (a VM's by a sixteenth)
  stop     from killing a Hyper-V container's init until its VM is gone
  density  memory and idle cost with --containers of each kind asleep, told apart by what they consist of; the daemons' memory
  daemon   start-up until the first answer with --known containers, and twofold ps beside docker ps
  alive    only with --alive: so many Hyper-V containers at once, how many of them answer an exec

Every Twofold row is measured on daemons with the same settings (bench/settings.ts), which are printed; what a row changes is in its name.
Each figure stands beside its goal: "reach" is wanted, "aim" comes after it. dockerd and podman are installed where they are missing.

Examples:
  npm run bench -- --json docs/bench/today.json --plot docs/bench/today.svg
  npm run bench -- --only start exec --runs 5
  npm run bench -- --only alive --alive 100`;

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number of at least 1.');
  return value;
}

/** What was asked for. Prints and ends where that was help, or a mistake. */
export function readOptions(words: readonly string[]): Options {
  const { only, ...options } = new Command('bench')
    .description(
      'Compares Twofold, under both isolations, with dockerd and podman, in one run on this machine, and with its goals.',
    )
    .addOption(new Option('--only <work...>', 'these works alone').choices(workNames))
    .option('--runs <n>', 'measurements of start, exec, stop and daemon', positive, 15)
    .option('--heavy-runs <n>', 'measurements of burst and stream', positive, 15)
    .option('--containers <n>', 'density: containers of each kind alive', positive, 50)
    .option('--idle-seconds <n>', 'density: how long idle containers are watched', positive, 30)
    .option('--burst <n>', 'burst: containers started at once', positive, 20)
    .option('--stream <mebibytes>', 'stream: size of the output', positive, 1024)
    .option('--alive <n>', 'alive: Hyper-V containers', positive)
    .option('--known <n>', 'daemon: containers that it knows', positive, 100)
    .option('--image <name>', "image, from Twofold's store", 'nanoserver')
    .option('--json <file>', 'write the results there')
    .option('--plot <file>', 'draw the results there, as SVG')
    .addHelpText('after', help)
    .showHelpAfterError('(see --help)')
    .parse(words, { from: 'user' })
    .opts<Omit<Options, 'works' | 'alive'> & { only?: WorkName[]; alive?: number }>();
  const works = new Set(only ?? workNames.filter((name) => name !== 'alive'));
  if (options.alive !== undefined) works.add('alive');
  return { ...options, alive: options.alive ?? 100, works };
}
