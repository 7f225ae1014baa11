// Owns Twofold as a peer: a daemon of the bench's own, spoken to with the stock docker CLI like dockerd.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Isolation } from '@twofold/contract';
import { readCommandLine } from '@twofold/daemon/command-line.ts';
import { findWorkers } from '@twofold/daemon/host/workers.ts';
import { sweep } from '@twofold/daemon/sweep.ts';
import { Twofold } from '@twofold/sdk';
import type { Peer } from '../peer.ts';
import { until } from '../run.ts';
import { settings, variants, type Variant } from '../settings.ts';
import { WorkerWords } from '../worker-words.ts';
import { DaemonProcess } from './daemon-process.ts';

const MAIN = join(import.meta.dirname, '../../packages/daemon/src/main.ts');
/** A burst's VMs are made and ended meanwhile. */
const restTimeoutMs = 180_000;

/** One daemon, seen through each isolation: the same commands, with the one word added. */
export interface TwofoldDaemon extends AsyncDisposable {
  readonly socket: string;
  readonly byIsolation: Record<Isolation, Peer>;
  readonly client: Twofold;
  /** What its VMs' workers were started with; looked at whenever it has settled. */
  readonly words: WorkerWords;
  /** Resolves when nothing of earlier bursts is left: as many VMs wait as are set to. */
  forgotten(): Promise<void>;
  /** Its workers' process ids, also of VMs that nobody has yet. */
  workers(): Promise<number[]>;
}

/**
 * Starts twofoldd below `directory`, with link prefix, address pool, control group and user ids of its own; `variant`
 * changes the run's settings.
 */
export async function startTwofold(
  directory: string,
  undo: AsyncDisposableStack,
  variant?: Variant,
): Promise<TwofoldDaemon> {
  await mkdir(directory, { recursive: true });
  const slot = 1 + (variant === undefined ? -1 : Object.keys(variants).indexOf(variant));
  const socket = join(directory, 'twofold.sock');
  const runRoot = join(directory, 'r');
  const firstUid = 1_890_000_000 + slot * 1000;
  const flags = [
    '--data-root',
    join(directory, 'data'),
    '--exec-root',
    runRoot,
    '--host',
    `unix://${socket}`,
    '--bridge-prefix',
    `tb${'abcd'[slot]}`,
    '--default-address-pool',
    `base=10.${215 + slot}.0.0/16,size=24`,
    '--cgroup-parent',
    `/twofold-bench-${slot}`,
    '--worker-uids',
    `${firstUid}-${firstUid + 999}`,
    ...settings,
    ...(variant === undefined ? [] : variants[variant]),
  ];
  const daemon = new DaemonProcess({
    words: [process.execPath, MAIN, ...flags],
    socket,
    log: join(directory, 'twofoldd.log'),
  });
  const client = new Twofold({ socketPath: socket });
  // Before it is started: one that is still starting is taken away, too. Can be done twice, for those that end before
  // the others.
  const dispose = async (): Promise<void> => {
    await client[Symbol.asyncDispose]();
    await daemon[Symbol.asyncDispose]();
    await sweep(readCommandLine(flags)!, () => undefined);
    await rm(directory, { recursive: true, force: true });
  };
  undo.defer(dispose);
  const least = readCommandLine(flags)!.vmPool;
  const pool = async (): Promise<{ waiting: number; wanted: number }> => {
    const [waiting = NaN, wanted = NaN] = (Object.fromEntries((await client.info()).DriverStatus)['Waiting VMs'] ?? '')
      .split(' of ')
      .map(Number);
    return { waiting, wanted };
  };
  const words = new WorkerWords();
  const settled = async (): Promise<void> => {
    await until(
      'As many waiting VMs as there should be',
      async () => {
        const { waiting, wanted } = await pool();
        return waiting === wanted && wanted >= least;
      },
      restTimeoutMs,
    );
    if (variant === undefined) for (const pid of await workers()) words.check(pid);
  };
  const forgotten = (): Promise<void> =>
    until(
      'No more waiting VMs than the least',
      async () => {
        const { waiting, wanted } = await pool();
        return waiting === least && wanted === least;
      },
      restTimeoutMs,
    );
  const workers = async (): Promise<number[]> =>
    (await findWorkers())
      .filter(({ sandboxDirectory }) => sandboxDirectory.startsWith(`${runRoot}/`))
      .map(({ pid }) => pid);
  await daemon.start();
  const version = `twofold ${(await client.version()).Version}, Node ${process.version}`;
  const seenThrough = (isolation: Isolation): Peer => ({
    name: `twofold ${isolation}${variant === undefined ? '' : `, ${variant}`}`,
    version,
    get daemonPid() {
      return daemon.pid;
    },
    command: ([verb = '', ...rest]) => {
      const word = verb === 'run' || verb === 'create' ? [`--isolation=${isolation}`] : [];
      return {
        file: 'docker',
        args: [verb, ...word, ...rest],
        env: { ...process.env, DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: join(directory, 'config') },
      };
    },
    settled,
    restart: async () => {
      await daemon.stop();
      return daemon.start();
    },
  });
  return {
    socket,
    client,
    workers,
    forgotten,
    words,
    byIsolation: { process: seenThrough('process'), hyperv: seenThrough('hyperv') },
    [Symbol.asyncDispose]: dispose,
  };
}
