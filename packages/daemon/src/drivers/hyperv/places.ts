// Owns where the hyperv driver finds what set-up built, and where things of a container are inside a guest. Pure.

import { join } from 'node:path';
import type { ContainerId } from '@twofold/contract';

/** Built parts below the library root, as set-up lays them out. */
export const hypervParts = (libRoot: string) => ({
  supervisor: join(libRoot, 'bin/twofold-supervisor'),
  seccompTool: join(libRoot, 'bin/twofold-seccomp'),
  /** Loaded into QEMU to make it forkable. */
  forkable: join(libRoot, 'bin/twofold-fork.so'),
  vmlinux: join(libRoot, 'kernel/vmlinux'),
  kernelRelease: join(libRoot, 'kernel/release'),
  initramfs: join(libRoot, 'initramfs'),
  /** Layer of what is rehearsed. */
  rehearsal: join(libRoot, 'rehearsal.erofs'),
  /** Made by the first daemon that needs them; 0700. */
  templates: join(libRoot, 'templates'),
  /** Set-up's trial: {"accelerator":"kvm"|"tcg",…}. */
  accelerator: join(libRoot, 'accelerator.json'),
});

/** What an empty writable disk is copied from. */
export const emptyDisk = (dataRoot: string): string => join(dataRoot, 'hyperv', 'scratch.ext4');

/**
 * Writable disks of VMs that are no container's yet: `<sandbox>.ext4`. On the data root's file system, so that a
 * container takes its own by a rename.
 */
export const spareDisks = (dataRoot: string): string => join(dataRoot, 'hyperv', 'spare');

/** Inside a sandbox's directory. */
export const sandboxParts = (directory: string) => ({
  plan: join(directory, 'sandbox.plan'),
  socket: join(directory, 'socket'),
  /** A parent's: where it is asked for forks. */
  forks: join(directory, 'forks'),
  /** What clean-up needs when nobody remembers. */
  notes: join(directory, 'hyperv.json'),
  /** The layers' disk with a further layer on it (showLayer). */
  shown: join(directory, 'shown.vmdk'),
  /** Written when the VM failed: the last of its console. */
  workerLog: join(directory, 'worker.log'),
  exit: (container: ContainerId) => join(directory, `exit.${container}`),
});

/** Inside a template's directory. */
export const templateParts = (directory: string) => ({
  memory: join(directory, 'memory'),
  saved: join(directory, 'state'),
  /** The spare writable disk as it was when the rest was saved. */
  disk: join(directory, 'scratch.ext4'),
});

/** Inside a container's writable directory. */
export const writableParts = (directory: string) => ({
  scratch: join(directory, 'scratch.ext4'),
  layers: join(directory, 'layers.vmdk'),
});

/** The control group of the one container that a VM has: made before it is known whose it will be. */
export const containerCgroup = 'container';

/** Inside the guest (native/agent/prepare.c). */
export const guestPlaces = (container: ContainerId) => ({
  root: `/run/twofold/${container}/root`,
  upper: `/run/twofold/${container}/scratch/upper`,
  /** Layers are counted from 1, the top one first. */
  layer: (number: number) => `/run/twofold/${container}/layer/${number}`,
  cgroup: containerCgroup,
  processList: `/sys/fs/cgroup/${containerCgroup}/cgroup.procs`,
});
