// Owns the compiling of an OCI specification into the container part of the launch plan that the agent carries out:
// flat, complete, every value final (docs/protocol.md); the process part is process-part.ts. Pure. What the guest
// cannot do is refused here, before anything starts.

import {
  Tag,
  TlvWriter,
  TwofoldError,
  type OciLinux,
  type OciMount,
  type OciResources,
  type OciSpec,
} from '@twofold/contract';
import { deviceFilter } from './device-filter.ts';

/** Flags of mount(2) by the words of fstab; a word with `clear` takes the flag away. */
const mountFlags: Readonly<Record<string, { set?: number; clear?: number }>> = {
  ro: { set: 1 },
  rw: { clear: 1 },
  nosuid: { set: 2 },
  suid: { clear: 2 },
  nodev: { set: 4 },
  dev: { clear: 4 },
  noexec: { set: 8 },
  exec: { clear: 8 },
  sync: { set: 16 },
  async: { clear: 16 },
  mand: { set: 64 },
  nomand: { clear: 64 },
  dirsync: { set: 128 },
  noatime: { set: 1024 },
  atime: { clear: 1024 },
  nodiratime: { set: 2048 },
  diratime: { clear: 2048 },
  relatime: { set: 1 << 21 },
  norelatime: { clear: 1 << 21 },
  strictatime: { set: 1 << 24 },
  nostrictatime: { clear: 1 << 24 },
};
// A file system of the container's own has nobody to share its mounts with.
const propagation = new Set([
  'private',
  'rprivate',
  'shared',
  'rshared',
  'slave',
  'rslave',
  'unbindable',
  'runbindable',
  'defaults',
]);

/** Nodes that every container has, whatever its specification says; runtimes make them of their own accord. */
const standardDevices: readonly [string, number, number][] = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
];

/** START's alone. */
export function writeContainer(plan: TlvWriter, spec: OciSpec, cgroup: string): void {
  const { linux } = spec;
  if (spec.hostname !== undefined) plan.string(Tag.HOSTNAME, spec.hostname);
  for (const { type } of linux.namespaces) {
    // The VM's network is the sandbox's, and users of the guest are nobody's outside it.
    if (type === 'user')
      throw new TwofoldError('unsupported', 'A Hyper-V container has no user namespace: it has its own kernel.');
    if (type !== 'network') plan.string(Tag.NAMESPACE, type);
  }
  for (const mount of spec.mounts) writeMount(plan, mount);
  plan
    .strings(Tag.MASKED_PATH, linux.maskedPaths ?? [])
    .strings(Tag.READONLY_PATH, linux.readonlyPaths ?? [])
    .flag(Tag.ROOT_READONLY, spec.root.readonly);
  writeDevices(plan, linux);
  const filter = deviceFilter(linux.resources?.devices ?? []);
  if (filter !== null) plan.bytes(Tag.DATA, filter);
  plan.string(Tag.CGROUP, cgroup);
  for (const [path, value] of cgroupSettings(linux.resources ?? {}))
    plan.list(Tag.CGROUP_SET, (entry) => entry.string(Tag.PATH, path).string(Tag.VALUE, value));
  for (const [key, value] of Object.entries(linux.sysctl ?? {})) plan.string(Tag.SYSCTL, `${key}=${value}`);
}

/** Limits as files of cgroup v2, which is what a guest has. */
export function cgroupSettings({ memory = {}, cpu = {}, pids }: OciResources): [string, string][] {
  const settings: [string, string][] = [];
  if (memory.limit !== undefined) settings.push(['memory.max', memory.limit > 0 ? String(memory.limit) : 'max']);
  if (memory.reservation !== undefined) settings.push(['memory.low', String(memory.reservation)]);
  if (cpu.quota !== undefined || cpu.period !== undefined)
    settings.push([
      'cpu.max',
      `${cpu.quota !== undefined && cpu.quota > 0 ? cpu.quota : 'max'} ${cpu.period ?? 100_000}`,
    ]);
  // The kernel's own conversion of v1's 2…262144 to v2's 1…10000.
  if (cpu.shares !== undefined && cpu.shares > 0)
    settings.push(['cpu.weight', String(1 + Math.floor(((cpu.shares - 2) * 9999) / 262_142))]);
  if (cpu.cpus !== undefined && cpu.cpus !== '') settings.push(['cpuset.cpus', cpu.cpus]);
  if (pids !== undefined) settings.push(['pids.max', pids.limit > 0 ? String(pids.limit) : 'max']);
  return settings;
}

function writeMount(plan: TlvWriter, mount: OciMount): void {
  if (mount.type === 'bind' || mount.options?.some((option) => option === 'bind' || option === 'rbind'))
    throw new TwofoldError(
      'not-implemented',
      `A Hyper-V container cannot be given a directory of the host at ${mount.destination} yet.`,
    );
  let flags = 0;
  const data: string[] = [];
  for (const option of mount.options ?? []) {
    const flag = mountFlags[option];
    if (flag !== undefined) flags = (flags & ~(flag.clear ?? 0)) | (flag.set ?? 0);
    else if (option === 'remount' || option === 'tmpcopyup')
      throw new TwofoldError('unsupported', `The mount option ${option} is not possible in a Hyper-V container.`);
    else if (!propagation.has(option)) data.push(option);
  }
  const type = mount.type === 'cgroup' ? 'cgroup2' : mount.type;
  plan.list(Tag.MOUNT, (entry) =>
    entry
      .string(Tag.PATH, mount.destination)
      .string(Tag.TYPE, type)
      .string(Tag.SOURCE, mount.source || type)
      .string(Tag.OPTIONS, data.join(','))
      .number(Tag.FLAGS, flags),
  );
}

function writeDevices(plan: TlvWriter, linux: OciLinux): void {
  const given = new Set((linux.devices ?? []).map((device) => device.path));
  const standard = standardDevices.map(([name, major, minor]) => ({
    path: `/dev/${name}`,
    type: 'c' as const,
    major,
    minor,
  }));
  for (const device of [...standard.filter(({ path }) => !given.has(path)), ...(linux.devices ?? [])]) {
    if (device.type === 'p') throw new TwofoldError('unsupported', `${device.path} is a FIFO, not a device.`);
    const { fileMode = 0o666, uid = 0, gid = 0 } = device as NonNullable<OciLinux['devices']>[number];
    plan.list(Tag.DEVICE, (entry) =>
      entry
        .string(Tag.PATH, device.path)
        .string(Tag.TYPE, device.type)
        .number(Tag.OFFSET, device.major)
        .number(Tag.LENGTH, device.minor)
        .number(Tag.MODE, fileMode)
        .number(Tag.UID, uid)
        .number(Tag.GID, gid),
    );
  }
}
