// Owns the sizes that utility VMs come in. Pure. Few: each has a template of its own, and a container's limits hold in
// its guest.

import type { SandboxSpec } from '../driver.ts';

/** What a container may use of its VM. */
export type Size = SandboxSpec['machine'];

/**
 * The standard size, or doubled until it holds what is `wanted`; never more processors than the host has, unless they
 * are wanted.
 */
export function sizeFor(wanted: Size, standard: Size, hostCpus: number): Size {
  const cpus = doubled(wanted.cpus, standard.cpus);
  return {
    memoryBytes: doubled(wanted.memoryBytes, standard.memoryBytes),
    cpus: cpus === standard.cpus ? cpus : Math.max(wanted.cpus, Math.min(cpus, hostCpus)),
  };
}

/**
 * What the VM has: the guest's own part is its kernel, the agent, what describes each page, and what the kernel keeps
 * free.
 */
export function vmMemoryBytes({ memoryBytes }: Pick<Size, 'memoryBytes'>): number {
  const guestBytes = (96 << 20) + memoryBytes / 32;
  return Math.ceil((memoryBytes + guestBytes) / 2 ** 20) * 2 ** 20;
}

export function isSameSize(one: Size, other: Size): boolean {
  return one.memoryBytes === other.memoryBytes && one.cpus === other.cpus;
}

function doubled(wanted: number, from: number): number {
  let size = from;
  while (size < wanted) size *= 2;
  return size;
}
