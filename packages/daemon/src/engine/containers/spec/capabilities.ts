// Owns which capabilities a container's process gets: Docker's default set, --cap-add, --cap-drop, --privileged. Pure.
// Does not know what a machine has: HostFacts.capabilities tells.

import { TwofoldError } from '@twofold/contract';
import type { OciCapabilities } from '@twofold/contract';

/** Every capability of Linux in the order of its bits (include/uapi/linux/capability.h, 6.18). */
export const allCapabilities: readonly string[] = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
].map((name) => `CAP_${name}`);

/** Docker's fourteen. */
export const defaultCapabilities: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

/** The names in a mask such as /proc/self/status has (`CapBnd`), as hexadecimal digits. */
export function capabilitiesOfMask(mask: string): string[] {
  const bits = BigInt(`0x${mask}`);
  return allCapabilities.filter((_, bit) => (bits >> BigInt(bit)) & 1n);
}

export interface CapabilityWishes {
  readonly add: readonly string[];
  readonly drop: readonly string[];
  readonly privileged: boolean;
}

/**
 * The bounding set, in the order of the bits. What is there by default or through `ALL` and `privileged` is cut to what
 * the machine has; a capability that was asked for by name and that the machine lacks is `invalid-argument`, as is a
 * name that doesn't exist.
 */
export function chooseCapabilities(wishes: CapabilityWishes, available: ReadonlySet<string>): string[] {
  const add = normalise(wishes.add, 'CapAdd');
  const drop = normalise(wishes.drop, 'CapDrop');
  const inOrder = (chosen: (name: string) => boolean) =>
    allCapabilities.filter((name) => chosen(name) && available.has(name));
  if (wishes.privileged) return inOrder(() => true);
  if (add.has('ALL')) return inOrder((name) => !drop.has(name));
  for (const name of add) {
    if (!available.has(name))
      throw new TwofoldError('invalid-argument', `Capability ${name} cannot be added: this machine does not have it.`);
  }
  if (drop.has('ALL')) return inOrder((name) => add.has(name));
  return inOrder((name) => add.has(name) || (defaultCapabilities.includes(name) && !drop.has(name)));
}

/** The five sets. A user other than root gets only the bounding set, as execve would leave it. */
export function capabilitySets(bounding: readonly string[], uid: number): OciCapabilities {
  const held = uid === 0 ? [...bounding] : [];
  return { bounding: [...bounding], effective: held, permitted: [...held], inheritable: [], ambient: [] };
}

function normalise(names: readonly string[], where: 'CapAdd' | 'CapDrop'): Set<string> {
  const result = new Set<string>();
  for (const given of names) {
    const upper = given.trim().toUpperCase();
    const name = upper === 'ALL' || upper === 'CAP_ALL' ? 'ALL' : upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
    if (name !== 'ALL' && !allCapabilities.includes(name))
      throw new TwofoldError('invalid-argument', `invalid ${where}: unknown capability: "${name}"`);
    result.add(name);
  }
  return result;
}
