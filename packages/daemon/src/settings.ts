// Owns what can be set and the defaults. How settings are named on the command line and in a file: command-line.ts.

import { availableParallelism } from 'node:os';
import { runRootOf, socketOf, type Isolation } from '@twofold/contract';

/** A daemon beside the default one, told apart by its name. */
export interface Instance {
  readonly name: string;
  /** 1 to `highestSlot`, of this machine's instances no two the same (instances.ts). */
  readonly slot: number;
}

export interface Settings {
  /** null: the default instance. */
  readonly instance: Instance | null;
  /** State that outlives a reboot; 0700. */
  readonly dataRoot: string;
  /** Sockets and mounts; gone after a reboot. Short: sockets below it have paths of 107 bytes at most. */
  readonly runRoot: string;
  /** Built parts: native programs, kernel, initramfs, base images. Shared by daemons. */
  readonly libRoot: string;
  readonly socket: string;
  readonly socketGroup: string;
  readonly defaultIsolation: Isolation;
  /** Prefix of bridge and link names (≤ 4 characters): `tf`. */
  readonly linkPrefix: string;
  /**
   * Pools that switches without a subnet of their own take theirs from, as CIDR: `10.88.0.0/13`. Each takes a /16… /24
   * of it.
   */
  readonly addressPools: readonly { readonly base: string; readonly size: number }[];
  /** Below every cgroup controller's root: `/twofold`. */
  readonly cgroupParent: string;
  /** First and last user id of the workers' range. */
  readonly workerUids: { readonly first: number; readonly last: number };
  readonly machine: { readonly memoryBytes: number; readonly cpus: number };
  /** Whether utility VMs of the default size are clones of a template; without one every VM boots, and none waits. */
  readonly vmTemplate: boolean;
  /** Whether, under emulation, those of the default size are forks of one clone that stands still. */
  readonly vmFork: boolean;
  /**
   * How many utility VMs of the default size wait for containers at least; 0 = none: each is made when it is needed.
   */
  readonly vmPool: number;
  /** How many a burst of starts may bring it to. */
  readonly vmPoolMost: number;
  /** How long what a burst has brought waits without another one. */
  readonly vmPoolIdleMs: number;
  /** `auto` takes what set-up measured. */
  readonly accelerator: 'auto' | 'kvm' | 'tcg';
  /** Whether software emulation may serve as a boundary at all. */
  readonly allowEmulation: boolean;
  readonly runtime: string;
  readonly logLevel: string;
  /** Default log limits, as Docker's `--log-opt max-size, max-file`; 0 = no rotation. */
  readonly logMaxBytes: number;
  readonly logMaxFiles: number;
  /** Processes that a container may have which says nothing of it; 0 = no limit. */
  readonly defaultPidsLimit: number;
  /** Free bytes on the data root's file system below which creations and starts are refused and logs stand still. */
  readonly minimumFreeBytes: number;
}

export const defaults: Settings = {
  instance: null,
  dataRoot: '/var/lib/twofold',
  runRoot: '/run/twofold',
  libRoot: process.env['TWOFOLD_LIB_ROOT'] ?? '/usr/local/lib/twofold',
  socket: '/run/twofold/twofold.sock',
  socketGroup: 'twofold',
  defaultIsolation: 'process',
  linkPrefix: 'tf',
  addressPools: [{ base: '10.88.0.0/13', size: 16 }],
  cgroupParent: '/twofold',
  // Above what systemd and the distributions give to people, containers and dynamic users, below 2^31.
  workerUids: { first: 2_000_000_000, last: 2_000_065_535 },
  machine: { memoryBytes: 2 * 2 ** 30, cpus: 2 },
  vmTemplate: true,
  vmFork: true,
  vmPool: 1,
  // More can't be made use of at once.
  vmPoolMost: 4 * availableParallelism(),
  vmPoolIdleMs: 60_000,
  accelerator: 'auto',
  allowEmulation: true,
  runtime: 'crun',
  logLevel: 'info',
  // As Docker's driver `local` has them: a container that floods must not fill the disk.
  logMaxBytes: 20 << 20,
  logMaxFiles: 5,
  defaultPidsLimit: 0,
  minimumFreeBytes: 256 << 20,
};

export const dataRootOf = (instance: string | null): string =>
  instance === null ? defaults.dataRoot : `${defaults.dataRoot}-${instance}`;

/** As many second bytes of address pools as there are below. */
export const highestSlot = 64;
const workersEach = 65_536;

/**
 * What follows from an instance's name and number: what two daemons must not share. Prefixes are of one length, and
 * none begins with the default's, so that no one's links look like another's.
 */
export function defaultsOf(instance: Instance | null): Settings {
  if (instance === null) return defaults;
  const { name, slot } = instance;
  const firstUid = defaults.workerUids.first + slot * workersEach;
  return {
    ...defaults,
    instance,
    dataRoot: dataRootOf(name),
    runRoot: runRootOf(name),
    socket: socketOf(name),
    linkPrefix: `tw${slot.toString(36).padStart(2, '0')}`,
    addressPools: [{ base: `10.${159 + slot}.0.0/16`, size: 24 }],
    cgroupParent: `${defaults.cgroupParent}-${name}`,
    workerUids: { first: firstUid, last: firstUid + workersEach - 1 },
  };
}
