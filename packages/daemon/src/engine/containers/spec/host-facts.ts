// Owns what a specification must know of the kernel that will run it: the host's, or a utility VM's. Reads /proc and
// /dev for the host. Does not decide anything.

import { access, lstat, readFile, readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { OciLinux } from '@twofold/contract';
import { allCapabilities, capabilitiesOfMask } from './capabilities.ts';

export interface HostFacts {
  /** `amd64`, `arm64`, … as images name it. */
  readonly architecture: string;
  /** `uname -r` of the kernel that runs the container. */
  readonly kernelRelease: string;
  readonly capabilities: ReadonlySet<string>;
  /**
   * Highest hard limit that can be given, by `RLIMIT_…`; Infinity where there is none; a type that is missing can be
   * given anything.
   */
  readonly hardLimits: ReadonlyMap<string, number>;
  readonly cgroupVersion: '1' | '2';
  /** Below every cgroup controller's root: `/twofold`. */
  readonly cgroupParent: string;
  readonly cpus: number;
  /** False where the kernel doesn't count swap for cgroups: a limit of memory and swap together can't be set. */
  readonly countsSwap: boolean;
  /** Device nodes that a privileged container is given. */
  readonly devices: NonNullable<OciLinux['devices']>;
}

/** `x64` of Node is `amd64` of images. */
export function imageArchitecture(nodeArchitecture: string): string {
  return nodeArchitecture === 'x64' ? 'amd64' : nodeArchitecture === 'ia32' ? '386' : nodeArchitecture;
}

/** Facts of this machine, for process isolation. */
export async function readHostFacts(where: { cgroupVersion: '1' | '2'; cgroupParent: string }): Promise<HostFacts> {
  const [status, limits, release, maximumFiles] = await Promise.all(
    ['self/status', 'self/limits', 'sys/kernel/osrelease', 'sys/fs/nr_open'].map((name) =>
      readFile(`/proc/${name}`, 'utf8'),
    ),
  );
  const capabilities = new Set(capabilitiesOfMask(/^CapBnd:\s*([0-9a-f]+)$/m.exec(status!)?.[1] ?? '0'));
  return {
    architecture: imageArchitecture(process.arch),
    kernelRelease: release!.trim(),
    capabilities,
    hardLimits: readHardLimits(limits!, Number(maximumFiles), capabilities.has('CAP_SYS_RESOURCE')),
    ...where,
    cpus: availableParallelism(),
    // On v2 only kernels without swap at all lack it, and there nothing would be swapped.
    countsSwap:
      where.cgroupVersion === '2' ||
      (await access('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes').then(
        () => true,
        () => false,
      )),
    devices: await readDevices('/dev'),
  };
}

/**
 * Facts of a utility VM: its kernel is the container's own, so it has every capability and may set every limit. `cpus`
 * are the host's: a VM is made with as many as its container asks for.
 */
export function guestFacts(guest: {
  architecture: string;
  kernelRelease: string;
  cpus: number;
  cgroupParent: string;
}): HostFacts {
  return {
    ...guest,
    capabilities: new Set(allCapabilities),
    hardLimits: new Map([['RLIMIT_NOFILE', 1 << 20]]), // the kernel's default for fs.nr_open
    cgroupVersion: '2',
    countsSwap: true,
    devices: [],
  };
}

const limitNames: Readonly<Record<string, string>> = {
  'Max cpu time': 'RLIMIT_CPU',
  'Max file size': 'RLIMIT_FSIZE',
  'Max data size': 'RLIMIT_DATA',
  'Max stack size': 'RLIMIT_STACK',
  'Max core file size': 'RLIMIT_CORE',
  'Max resident set': 'RLIMIT_RSS',
  'Max processes': 'RLIMIT_NPROC',
  'Max open files': 'RLIMIT_NOFILE',
  'Max locked memory': 'RLIMIT_MEMLOCK',
  'Max address space': 'RLIMIT_AS',
  'Max file locks': 'RLIMIT_LOCKS',
  'Max pending signals': 'RLIMIT_SIGPENDING',
  'Max msgqueue size': 'RLIMIT_MSGQUEUE',
  'Max nice priority': 'RLIMIT_NICE',
  'Max realtime priority': 'RLIMIT_RTPRIO',
  'Max realtime timeout': 'RLIMIT_RTTIME',
};

/**
 * From the text of /proc/self/limits. Who has CAP_SYS_RESOURCE may raise every limit, that of open files up to
 * fs.nr_open.
 */
export function readHardLimits(text: string, maximumFiles: number, mayRaise: boolean): Map<string, number> {
  if (mayRaise) return new Map([['RLIMIT_NOFILE', maximumFiles]]);
  const found = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, label, , hard] = /^(Max .+?)\s{2,}(\S+)\s+(\S+)/.exec(line) ?? [];
    const type = limitNames[label ?? ''];
    if (type !== undefined) found.set(type, hard === 'unlimited' ? Infinity : Number(hard));
  }
  return found;
}

// Nodes that the runtime makes itself, or that belong to one terminal or mount.
const skippedDevices = new Set([
  'pts',
  'shm',
  'fd',
  'mqueue',
  'console',
  'ptmx',
  'null',
  'zero',
  'full',
  'random',
  'urandom',
  'tty',
]);

async function readDevices(root: string, below = ''): Promise<NonNullable<OciLinux['devices']>> {
  const found: NonNullable<OciLinux['devices']> = [];
  for (const entry of await readdir(join(root, below), { withFileTypes: true }).catch(() => [])) {
    const name = join(below, entry.name);
    if (below === '' && skippedDevices.has(entry.name)) continue;
    if (entry.isDirectory()) found.push(...(await readDevices(root, name)));
    if (!entry.isCharacterDevice() && !entry.isBlockDevice()) continue;
    const node = await lstat(join(root, name), { bigint: true }).catch(() => null); // a node may vanish while we look
    if (node === null) continue;
    found.push({
      path: join(root, name),
      type: entry.isBlockDevice() ? 'b' : 'c',
      ...splitDevice(node.rdev),
      fileMode: Number(node.mode & 0o7777n),
      uid: Number(node.uid),
      gid: Number(node.gid),
    });
  }
  return found;
}

// Layout of dev_t in glibc's and musl's sys/sysmacros.h.
function splitDevice(device: bigint): { major: number; minor: number } {
  const major = ((device >> 32n) & 0xfffff000n) | ((device >> 8n) & 0xfffn);
  const minor = ((device >> 12n) & 0xffffff00n) | (device & 0xffn);
  return { major: Number(major), minor: Number(minor) };
}
