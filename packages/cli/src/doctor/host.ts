// Owns the examinations of the host's kernel and rights: what Twofold needs of it and what follows where that lacks.

import { access, constants, readFile, stat, statfs } from 'node:fs/promises';
import { release } from 'node:os';
import { dirname } from 'node:path';
import { runCommand } from '@twofold/daemon/host/command.ts';
import { LostAndFound } from '@twofold/daemon/state/lost-and-found.ts';
import { fine, type Examination, type Finding } from './finding.ts';

const capSysResource = 24n;

const readable = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

export const examineRights: Examination = async () => {
  if (process.getuid?.() !== 0)
    return {
      name: 'root',
      state: 'warning',
      found: `user ${process.getuid?.()}`,
      meaning: 'Some of what follows is visible only to root.',
      mend: 'sudo twofold doctor',
    };
  return fine('root', 'yes');
};

export const examineLimits: Examination = async () => {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(await readFile('/proc/self/status', 'utf8'))?.[1] ?? '0';
  if (process.getuid?.() !== 0 || ((BigInt(`0x${effective}`) >> capSysResource) & 1n) === 1n)
    return fine('limits', 'may be raised (CAP_SYS_RESOURCE)');
  return {
    name: 'limits',
    state: 'warning',
    found: 'no CAP_SYS_RESOURCE',
    meaning: 'Resource limits (--ulimit) above those of this machine are refused; default ones are clamped to them.',
    mend: 'give the surrounding container or machine CAP_SYS_RESOURCE',
  };
};

export const examineCgroups: Examination = async () => {
  if (await readable('/sys/fs/cgroup/cgroup.controllers')) return fine('cgroups', 'v2');
  if (await readable('/sys/fs/cgroup/unified/cgroup.procs')) {
    return {
      ...fine('cgroups', 'hybrid (v1 controllers and an empty v2 tree)'),
      meaning: 'Works: limits go through v1. Nothing to do.',
    };
  }
  if (await readable('/sys/fs/cgroup/memory'))
    return { ...fine('cgroups', 'v1'), meaning: 'Works: limits go through v1. Nothing to do.' };
  return {
    name: 'cgroups',
    state: 'missing',
    found: 'none mounted',
    meaning: 'No limits, no pause and no out-of-memory report for containers.',
    mend: 'mount -t cgroup2 none /sys/fs/cgroup',
  };
};

export const examineFileSystems: Examination = async () => {
  const known = await readFile('/proc/filesystems', 'utf8');
  const lacking: string[] = [];
  for (const name of ['erofs', 'overlay']) {
    const there =
      new RegExp(`\\t${name}$`, 'm').test(known) ||
      (await runCommand('look for the module', ['modprobe', '-n', name]).then(
        () => true,
        () => false,
      ));
    if (!there) lacking.push(name);
  }
  if (lacking.length > 0)
    return {
      name: 'file systems',
      state: 'missing',
      found: `the kernel has no ${lacking.join(' and no ')}`,
      meaning: 'Containers with process isolation cannot mount their images.',
      mend: "use a kernel with these file systems (every distribution's ordinary one has them)",
    };
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const direct = major > 6 || (major === 6 && minor >= 12);
  return fine(
    'file systems',
    `erofs and overlay; layers mount ${direct ? 'from files' : 'through loop devices (directly from Linux 6.12 on)'}`,
  );
};

export const examineNetwork: Examination = async () => {
  if (process.getuid?.() !== 0)
    return {
      name: 'network',
      state: 'warning',
      found: 'not looked at',
      meaning: 'Only root can see whether bridges and packet rules work.',
      mend: 'sudo twofold doctor',
    };
  const rules = await runCommand('list packet rules', ['nft', 'list', 'tables']).then(
    () => true,
    () => false,
  );
  if (!rules)
    return {
      name: 'network',
      state: 'missing',
      found: 'nft does not work',
      meaning: 'Switches get no address translation: containers reach nothing outside.',
      mend: 'twofold setup; inside a container, give it CAP_NET_ADMIN and a kernel with nf_tables',
    };
  if (!(await readable('/dev/net/tun')))
    return {
      name: 'network',
      state: 'missing',
      found: 'no /dev/net/tun',
      meaning: 'Hyper-V containers get no network.',
      mend: 'modprobe tun',
    };
  return fine('network', 'nftables and TAP work');
};

export const examineKvm: Examination = async () => {
  const usable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  const there = usable || (await readable('/dev/kvm'));
  if (there)
    return fine(
      'kvm',
      usable
        ? '/dev/kvm opens (the accelerator tells whether a guest boots under it)'
        : '/dev/kvm exists, for root only',
    );
  return {
    name: 'kvm',
    state: 'warning',
    found: 'no /dev/kvm',
    meaning: 'Hyper-V containers run under emulation, which is slower and not a security boundary.',
    mend: 'load kvm_intel or kvm_amd; in a virtual machine, allow nested virtualisation; then twofold setup',
  };
};

export const examineUserNames: Examination = async () => {
  const line = /^passwd:(.*)$/m.exec(await readFile('/etc/nsswitch.conf', 'utf8').catch(() => ''))?.[1] ?? '';
  if (/\bsystemd\b/.test(line)) return fine('user names', 'nsswitch.conf asks libnss-systemd');
  return {
    name: 'user names',
    state: 'warning',
    found: 'nsswitch.conf does not ask systemd for users',
    meaning: "ps shows a number instead of the container's GUID as the user of a worker process.",
    mend: 'add "systemd" to the line "passwd:" of /etc/nsswitch.conf (apt-get install libnss-systemd does)',
  };
};

/** Below it, starts are refused (Settings.minimumFreeBytes). */
const tightBytes = 2 * 2 ** 30;

export const examineSpace: Examination = async ({ places }): Promise<Finding> => {
  let directory = places.dataRoot;
  while (!(await readable(directory)) && directory !== '/') directory = dirname(directory);
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  const found = `${(free / 2 ** 30).toFixed(1)} GiB free below ${directory}`;
  if (free >= tightBytes) return fine('disk', found);
  return {
    name: 'disk',
    state: 'warning',
    found,
    meaning: 'Images and writable layers may run out of space; containers do not start when the disk is nearly full.',
    mend: 'free some space, or choose another --data-root',
  };
};

export const examineLost: Examination = async ({ places }): Promise<Finding> => {
  if (process.getuid?.() !== 0) return fine('lost+found', 'visible only to root');
  const lost = new LostAndFound(places.dataRoot);
  const paths = lost.paths();
  if (paths.length === 0) return fine('lost+found', 'empty');
  return {
    name: 'lost+found',
    state: 'warning',
    found: `${paths.length} ${paths.length === 1 ? 'thing' : 'things'} in ${lost.directory}: ${paths.slice(0, 3).join(', ')}${paths.length > 3 ? ', …' : ''}`,
    meaning: 'They were found in the data root, but the database does not know them. Nothing uses them.',
    mend: 'twofold down, twofold recover and twofold up bring back what still has a description; docker builder prune deletes the rest',
  };
};
