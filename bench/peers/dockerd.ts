// Owns Docker's daemon as a peer: Debian's docker.io, a daemon of the bench's own with roots of its own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Peer } from '../peer.ts';
import { runCommand, succeeds, until } from '../run.ts';
import { installFor } from './packages.ts';

/**
 * Starts dockerd with runc below `directory`. It lives in a network namespace of its own, where it makes its bridge and rules as
 * always; they vanish with it instead of staying among the host's.
 */
export async function startDockerd(directory: string): Promise<Peer> {
  await installFor('/usr/sbin/dockerd', ['docker.io']);
  await mkdir(directory, { recursive: true });
  const socket = join(directory, 'docker.sock');
  const log = await open(join(directory, 'dockerd.log'), 'w');
  const daemon = spawn('unshare', ['--net', '/usr/sbin/dockerd', '--data-root', join(directory, 'data'), '--exec-root', join(directory, 'exec'), '-H', `unix://${socket}`,
    '-p', join(directory, 'dockerd.pid')], { stdio: ['ignore', log.fd, log.fd] });
  await log.close();
  const peer: Peer = {
    name: 'dockerd + runc',
    version: (await runCommand('/usr/sbin/dockerd', ['--version'])).stdout,
    command: (words) => ({ file: 'docker', args: [...words], env: { ...process.env, DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: join(directory, 'config') } }),
    [Symbol.asyncDispose]: async () => {
      if (daemon.exitCode === null && daemon.signalCode === null) {
        const ended = once(daemon, 'exit');
        daemon.kill('SIGTERM');
        await ended;
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
  try {
    await until('dockerd', () => succeeds(peer, ['version']));
  } catch (error) {
    await peer[Symbol.asyncDispose]();
    throw error;
  }
  return peer;
}
