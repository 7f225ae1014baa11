// Owns what differs between distributions: which packages bring what we use. Knows Debian 12, 13 and Ubuntu 24.04, and
// takes their relatives for what they derive from.

import { readFile } from 'node:fs/promises';
import { arch } from 'node:process';

export interface Distribution {
  readonly id: string;
  readonly version: string;
  readonly name: string;
  /** Debian or a relative: has apt. */
  readonly apt: boolean;
}

export interface Package {
  readonly name: string;
  readonly purpose: string;
}

/** Reads os-release's `KEY="value"` lines. */
export function parseOsRelease(text: string): Map<string, string> {
  return new Map(
    [...text.matchAll(/^([A-Z_]+)=(?:"([^"\n]*)"|'([^'\n]*)'|([^\n]*))$/gm)].map((match) => [
      match[1]!,
      match[2] ?? match[3] ?? match[4] ?? '',
    ]),
  );
}

export async function thisDistribution(): Promise<Distribution> {
  const fields = parseOsRelease(await readFile('/etc/os-release', 'utf8').catch(() => ''));
  const id = fields.get('ID') ?? 'unknown';
  const like = [id, ...(fields.get('ID_LIKE') ?? '').split(' ')];
  return {
    id,
    version: fields.get('VERSION_ID') ?? '',
    name: fields.get('PRETTY_NAME') ?? id,
    apt: like.includes('debian') || like.includes('ubuntu'),
  };
}

const emulators: Partial<Record<NodeJS.Architecture, string>> = { x64: 'qemu-system-x86', arm64: 'qemu-system-arm' };

/**
 * The names are the same on Debian 12, 13 and Ubuntu 24.04 (tried with apt-cache on each one's archive where they might
 * differ).
 */
export function packagesFor(architecture: NodeJS.Architecture = arch): Package[] {
  return [
    { name: emulators[architecture] ?? 'qemu-system', purpose: 'the machine monitor of the utility VM' },
    { name: 'crun', purpose: 'the OCI runtime of process isolation' },
    { name: 'e2fsprogs', purpose: 'the writable layer of Hyper-V containers (mkfs.ext4)' },
    { name: 'nftables', purpose: 'address translation and packet rules of the switches' },
    { name: 'iproute2', purpose: 'bridges, veth pairs and TAPs' },
    { name: 'util-linux', purpose: 'mount, nsenter, losetup' },
    { name: 'libnss-systemd', purpose: "shows a worker's user name (the container's GUID) in ps" },
    { name: 'gcc', purpose: 'builds the native programs' },
    { name: 'make', purpose: 'builds the native programs' },
    { name: 'libc6-dev', purpose: 'builds the native programs' },
    { name: 'linux-libc-dev', purpose: 'kernel headers for the native programs' },
    { name: 'musl-tools', purpose: 'links the native programs statically' },
    { name: 'libseccomp-dev', purpose: 'compiles seccomp profiles for utility VMs' },
    { name: 'busybox-static', purpose: 'the commands in the base image nanoserver' },
    { name: 'mmdebstrap', purpose: 'makes the base image windowsservercore' },
    { name: 'xz-utils', purpose: "unpacks the guest's kernel modules" },
    { name: 'ca-certificates', purpose: 'certificates of registries' },
  ];
}

/** What only the tests use. */
export function testPackages(): Package[] {
  return [
    { name: 'erofs-utils', purpose: 'checks the layers that Twofold writes' },
    { name: 'attr', purpose: 'reads and sets extended attributes' },
    { name: 'procps', purpose: 'shows processes as a person sees them' },
    { name: 'tmux', purpose: "a person's terminal, typed into and read like a screen" },
    { name: 'openssl', purpose: 'makes keys in utility VMs that were cloned' },
    { name: 'python3-docker', purpose: "a client of Docker's API that Docker has written in another language" },
    { name: 'docker-compose', purpose: 'a client that brings up several containers and looks at them again' },
    { name: 'cpio', purpose: 'reads the initramfs that Twofold writes' },
    { name: 'clang', purpose: 'fuzzes the native programs' },
    { name: 'libclang-rt-dev', purpose: 'fuzzes the native programs' },
  ];
}

/** Packages that hold the docker command, the one without a daemon first. */
export const dockerPackages = ['docker-cli', 'docker.io'] as const;
