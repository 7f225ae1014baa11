// Owns Twofold as a peer: a daemon of the bench's own, spoken to with the stock docker CLI like dockerd.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Isolation } from '@twofold/contract';
import { readCommandLine } from '@twofold/daemon/command-line.ts';
import { sweep } from '@twofold/daemon/sweep.ts';
import type { Peer } from '../peer.ts';
import { run, succeeds, until } from '../run.ts';

const DAEMON = join(import.meta.dirname, '../../packages/daemon/src/main.ts');

/** The daemon seen through one isolation: the same commands, with the one word added. */
export interface TwofoldPeers extends AsyncDisposable {
  readonly byIsolation: Record<Isolation, Peer>;
}

/** Starts twofoldd below `directory`, with link prefix and address pool of its own. */
export async function startTwofold(directory: string): Promise<TwofoldPeers> {
  await mkdir(directory, { recursive: true });
  const socket = join(directory, 'twofold.sock');
  const log = await open(join(directory, 'twofoldd.log'), 'w');
  const flags = ['--data-root', join(directory, 'data'), '--exec-root', join(directory, 'r'), '--host', `unix://${socket}`,
    '--bridge-prefix', 'tfb', '--default-address-pool', 'base=10.215.0.0/16,size=24', '--cgroup-parent', '/twofold-bench', '--worker-uids', '1890000000-1890000999'];
  const daemon = spawn(process.execPath, [DAEMON, ...flags], { stdio: ['ignore', log.fd, log.fd] });
  await log.close();
  const seenThrough = (isolation: Isolation, version: string): Peer => ({
    name: `twofold ${isolation}`,
    version,
    command: (words) => {
      const [verb, ...rest] = words;
      const word = verb === 'run' || verb === 'create' ? [`--isolation=${isolation}`] : [];
      return { file: 'docker', args: [verb!, ...word, ...rest], env: { ...process.env, DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: join(directory, 'config') } };
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
  const stop = async (): Promise<void> => {
    if (daemon.exitCode === null && daemon.signalCode === null) {
      const ended = once(daemon, 'exit');
      daemon.kill('SIGTERM');
      await ended;
    }
    await sweep(readCommandLine(flags)!, () => undefined);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const first = seenThrough('process', '');
    await until('twofoldd', () => {
      if (daemon.exitCode !== null) throw new Error(`twofoldd ended with ${daemon.exitCode}: ${readFileSync(join(directory, 'twofoldd.log'), 'utf8')}`);
      return succeeds(first, ['version']);
    });
    const version = (await run(first, ['version', '--format', 'twofold {{.Server.Version}}'])).stdout;
    return { byIsolation: { process: seenThrough('process', version), hyperv: seenThrough('hyperv', version) }, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
