// Owns the file systems that a container sees beside its root: proc, dev, sys, shared memory, --tmpfs. Pure.
// Does not own provided files (the driver places those) nor volumes, which Twofold does not have yet.

import { TwofoldError } from '@twofold/contract';
import type { HostConfig, OciMount } from '@twofold/contract';

const defaultShmBytes = 64 << 20;

/** Every mount, in the order in which they are made. */
export function containerMounts(host: HostConfig): OciMount[] {
  const access = host.Privileged === true ? 'rw' : 'ro';
  const shm = host.ShmSize ?? 0;
  if (!Number.isSafeInteger(shm) || shm < 0)
    throw new TwofoldError('invalid-argument', 'SHM size can not be less than 0');
  const standard: OciMount[] = [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', access] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [access, 'nosuid', 'noexec', 'nodev'] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${shm === 0 ? defaultShmBytes : shm}`],
    },
  ];
  const own = temporaryMounts(host);
  const replaced = new Set(own.map((mount) => mount.destination));
  // Shorter paths first, so that none is hidden below another.
  return [
    ...standard.filter((mount) => !replaced.has(mount.destination)),
    ...own.sort((a, b) => depth(a.destination) - depth(b.destination)),
  ];
}

function temporaryMounts(host: HostConfig): OciMount[] {
  const mounts = Object.entries(host.Tmpfs ?? {}).map(([path, options]) => temporary(path, options));
  for (const given of host.Mounts ?? []) {
    const mount = given as {
      Type?: string;
      Target?: string;
      ReadOnly?: boolean;
      TmpfsOptions?: { SizeBytes?: number; Mode?: number };
    };
    if (mount.Type !== 'tmpfs') continue; // the others are refused by check.ts
    const size = mount.TmpfsOptions?.SizeBytes ?? 0;
    const mode = mount.TmpfsOptions?.Mode ?? 0;
    const words = [
      ...(mount.ReadOnly === true ? ['ro'] : []),
      ...(size > 0 ? [`size=${size}`] : []),
      ...(mode > 0 ? [`mode=${mode.toString(8)}`] : []),
    ];
    mounts.push(temporary(mount.Target ?? '', words.join(',')));
  }
  const paths = mounts.map((mount) => mount.destination);
  const twice = paths.find((path, at) => paths.indexOf(path) !== at);
  if (twice !== undefined) throw new TwofoldError('invalid-argument', `Duplicate mount point: ${twice}`);
  return mounts;
}

/**
 * Where a --tmpfs says no mode: it has that of the directory that it lies over. Not one that lies in another: there
 * is nothing yet.
 */
export function inheritingMounts(host: HostConfig): string[] {
  const mounts = containerMounts(host);
  return mounts
    .filter(({ type, destination, options = [] }) => {
      const inner = mounts.some((other) => destination.startsWith(`${other.destination}/`));
      return type === 'tmpfs' && !inner && !options.some((option) => option.startsWith('mode='));
    })
    .map(({ destination }) => destination);
}

const flags = new Set([
  'ro',
  'rw',
  'suid',
  'nosuid',
  'dev',
  'nodev',
  'exec',
  'noexec',
  'sync',
  'async',
  'dirsync',
  'remount',
  'mand',
  'nomand',
  'atime',
  'noatime',
  'diratime',
  'nodiratime',
  'relatime',
  'norelatime',
  'strictatime',
  'nostrictatime',
  'private',
  'rprivate',
  'shared',
  'rshared',
  'slave',
  'rslave',
  'unbindable',
  'runbindable',
]);
const values: Readonly<Record<string, RegExp>> = {
  size: /^\d+[kmg%]?$/i,
  mode: /^[0-7]{1,4}$/,
  uid: /^\d+$/,
  gid: /^\d+$/,
  nr_inodes: /^\d+[kmg]?$/i,
  nr_blocks: /^\d+[kmg]?$/i,
  mpol: /^[\w:=,-]+$/,
};

/** One `--tmpfs PATH:OPTIONS`. Docker's defaults (noexec,nosuid,nodev) hold unless an option says the opposite. */
function temporary(path: string, options: string): OciMount {
  if (!path.startsWith('/'))
    throw new TwofoldError('invalid-argument', `invalid mount path: '${path}' mount path must be absolute`);
  const destination = cleanPath(path);
  if (destination === '/')
    throw new TwofoldError('invalid-argument', `invalid specification: destination can't be '/'`);
  const words = options
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  for (const word of words) {
    const [name, value] = splitOnce(word);
    const fits = value === undefined ? flags.has(name) : values[name]?.test(value) === true;
    if (!fits) throw new TwofoldError('invalid-argument', `invalid tmpfs option ["${word}"]`);
  }
  const opposite = (word: string) => word.slice(2);
  const standard = ['noexec', 'nosuid', 'nodev'].filter(
    (word) => !words.includes(word) && !words.includes(opposite(word)),
  );
  return { destination, type: 'tmpfs', source: 'tmpfs', options: [...standard, ...words] };
}

function splitOnce(word: string): [string, string | undefined] {
  const at = word.indexOf('=');
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

function depth(path: string): number {
  return path.split('/').length;
}
