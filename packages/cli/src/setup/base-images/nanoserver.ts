// Owns the recipe of the base image nanoserver: one BusyBox (the distribution's busybox-static), csrss and cmd, and the
// few files that programs look for.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import { runCommand } from '@twofold/daemon/host/command.ts';
import { writeLayerTar, type LayerEntry } from './layer-tar.ts';
import { writeOciArchive } from './oci-archive.ts';
import { environment, sessionPrograms } from './session.ts';

const busyboxPaths = ['/bin/busybox', '/usr/bin/busybox'];
const appletPattern = /^(?:usr\/)?s?bin\/[\w[.+-]{1,40}$/;

const directories: readonly (readonly [string, number])[] = [
  ['bin', 0o755],
  ['dev', 0o755],
  ['etc', 0o755],
  ['home', 0o755],
  ['mnt', 0o755],
  ['proc', 0o555],
  ['root', 0o700],
  ['run', 0o755],
  ['sbin', 0o755],
  ['srv', 0o755],
  ['sys', 0o555],
  ['tmp', 0o1777],
  ['usr', 0o755],
  ['usr/bin', 0o755],
  ['usr/local', 0o755],
  ['usr/local/bin', 0o755],
  ['usr/sbin', 0o755],
  ['var', 0o755],
  ['var/log', 0o755],
  ['var/tmp', 0o1777],
];

const files: Readonly<Record<string, string>> = {
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nbin:x:2:2:bin:/bin:/bin/false\nwww-data:x:33:33:www-data:/var/www:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n',
  'etc/group': 'root:x:0:\ndaemon:x:1:\nbin:x:2:\nadm:x:4:\ntty:x:5:\nwww-data:x:33:\nusers:x:100:\nnogroup:x:65534:\n',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
  'etc/os-release':
    'ID=twofold-nanoserver\nNAME="Twofold nanoserver"\nPRETTY_NAME="Twofold nanoserver (BusyBox on Linux, a stand-in)"\n',
  'etc/profile': "export PS1='\\w \\$ '\n",
  // The engine provides these three; as files of the image they are no change that `docker diff` would show.
  'etc/hostname': '',
  'etc/hosts': '',
  'etc/resolv.conf': '',
};

/** The static BusyBox of the distribution. */
export async function readBusybox(): Promise<{ path: string; bytes: Buffer }> {
  for (const path of busyboxPaths) {
    const bytes = await readFile(path).catch(() => null);
    // A dynamic one would find no loader in the image.
    if (bytes !== null && !bytes.includes('/lib64/ld-linux') && !bytes.includes('/lib/ld-')) return { path, bytes };
  }
  throw new TwofoldError('unsupported', 'A static busybox was not found: install the package busybox-static.');
}

/** Builds `target` of what is installed; takes well under a second. */
export async function buildNanoserver(target: string, programs: string, signal: AbortSignal): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const work = await mkdtemp(join(tmpdir(), 'twofold-base-'));
  undo.defer(() => rm(work, { recursive: true, force: true }));
  const busybox = await readBusybox();
  const { stdout } = await runCommand('ask busybox for its commands', [busybox.path, '--list-full'], { signal });
  const taken = new Set(['bin/busybox', 'usr/bin/csrss', 'usr/bin/cmd']);
  const applets = [...new Set(stdout.toString('utf8').split('\n'))]
    .filter((path) => appletPattern.test(path) && !taken.has(path))
    .toSorted();
  const entries: LayerEntry[] = [
    ...directories.map(([path, directory]) => ({ path, directory })),
    { path: 'bin/busybox', content: busybox.bytes, mode: 0o755 },
    ...applets.map((path) => ({ path, link: '/bin/busybox' })),
    ...(await sessionPrograms(programs)),
    ...Object.entries(files).map(([path, content]) => ({ path, content })),
  ];
  const tar = join(work, 'layer.tar');
  await writeLayerTar(tar, entries);
  await writeOciArchive(
    {
      name: 'nanoserver',
      title: 'nanoserver',
      description:
        'A Linux stand-in named for the container walkthrough of Windows Server 2016: BusyBox, csrss and cmd. It contains nothing of Windows.',
      layers: [{ tar, createdBy: 'busybox-static, csrss and cmd' }],
      environment,
    },
    target,
    signal,
  );
}
