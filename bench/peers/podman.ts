// Owns podman with crun as a peer: Debian's packages, storage of the bench's own.

import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Peer } from '../peer.ts';
import { succeeds, versionOf } from '../run.ts';
import { installFor } from './packages.ts';

// crun refuses hybrid cgroups; without the unified mount, which only this command then doesn't see, it runs on v1.
const WITHOUT_UNIFIED = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"';

/**
 * Podman over crun. Its limits are set to the host's: its own defaults need CAP_SYS_RESOURCE, which a sandboxed machine
 * may lack.
 */
export async function startPodman(directory: string, undo: AsyncDisposableStack): Promise<Peer> {
  await installFor('/usr/bin/podman', ['podman', 'crun']);
  await mkdir(directory, { recursive: true });
  const globals = [
    '--root',
    join(directory, 'storage'),
    '--runroot',
    join(directory, 'run'),
    '--tmpdir',
    join(directory, 'tmp'),
    '--cgroup-manager',
    'cgroupfs',
    '--runtime',
    'crun',
  ];
  const hybrid = existsSync('/sys/fs/cgroup/unified');
  const peer: Peer = {
    name: 'podman + crun',
    version: `${await versionOf('podman')}; ${await versionOf('crun')}`,
    daemonPid: null,
    command: (words) => {
      const [verb, ...rest] = words;
      const limits =
        verb === 'run' || verb === 'create'
          ? ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024', '--network', 'none']
          : [];
      const args = [...globals, verb!, ...limits, ...rest];
      return hybrid
        ? { file: 'unshare', args: ['--mount', 'sh', '-c', WITHOUT_UNIFIED, 'sh', 'podman', ...args], env: process.env }
        : { file: 'podman', args, env: process.env };
    },
  };
  undo.defer(async () => {
    await succeeds(peer, ['rm', '--all', '--force', '--time', '0']);
    await succeeds(peer, ['system', 'reset', '--force']);
    await rm(directory, { recursive: true, force: true });
  });
  return peer;
}
