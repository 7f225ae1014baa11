// Owns Docker's daemon as a peer: Debian's docker.io, a daemon of the bench's own with roots of its own.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Peer } from '../peer.ts';
import { versionOf } from '../run.ts';
import { DaemonProcess } from './daemon-process.ts';
import { installFor } from './packages.ts';

/**
 * Starts dockerd with runc below `directory`. It lives in a network namespace of its own, where it makes its bridge and
 * rules as always; they vanish with it instead of staying among the host's.
 */
export async function startDockerd(directory: string, undo: AsyncDisposableStack): Promise<Peer> {
  await installFor('/usr/sbin/dockerd', ['docker.io']);
  await mkdir(directory, { recursive: true });
  const socket = join(directory, 'docker.sock');
  const daemon = new DaemonProcess({
    words: [
      'unshare',
      '--net',
      '/usr/sbin/dockerd',
      '--data-root',
      join(directory, 'data'),
      '--exec-root',
      join(directory, 'exec'),
      '-H',
      `unix://${socket}`,
      '-p',
      join(directory, 'dockerd.pid'),
    ],
    socket,
    log: join(directory, 'dockerd.log'),
  });
  undo.defer(async () => {
    await daemon[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });
  await daemon.start();
  return {
    name: 'dockerd + runc',
    version: `${await versionOf('/usr/sbin/dockerd')}; ${await versionOf('runc')}`,
    get daemonPid() {
      return daemon.pid;
    },
    command: (words) => ({
      file: 'docker',
      args: [...words],
      env: { ...process.env, DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: join(directory, 'config') },
    }),
    restart: async () => {
      await daemon.stop();
      return daemon.start();
    },
  };
}
