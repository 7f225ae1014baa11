// Owns how the VM's worker process is described to the supervisor: its command line, what is bound into its jail, its
// user and groups. Pure but for looking at what this machine has. The jail itself is native/supervisor/vm_jail.c, and
// so are the numbers of inherited descriptors.

import { existsSync, statSync } from 'node:fs';
import { Tag, TlvWriter, TwofoldError } from '@twofold/contract';
import { layerDiskBytes, scratchBytes } from './disks.ts';
import type { Accelerator, Machine } from './machine.ts';
import { vmMemoryBytes } from './size.ts';

/** native/common/worker.h: WORKER_AGENT_FD … WORKER_FIRST_TAP_FD. */
const descriptors = { agent: 3, qmp: 4, memory: 5, spare: 6, firstTap: 7 } as const;
/** native/common/worker.h: MOST_TAPS. */
export const mostAdapters = 8;
/** vm.h: PLAN_TEMPLATE … PLAN_FORK. */
const planFlags = { template: 2, clone: 4, parent: 8, fork: 16 } as const;
/** The name that the host's process list shows. */
const program = '/usr/bin/vmwp';
const guestKernel = '/vm/vmlinux';
const guestInitramfs = '/vm/initramfs';
/** What makes QEMU forkable (native/fork), in a parent's jail. */
const forkLibrary = '/vm/fork.so';
/** MiB of translated code: what a rehearsal and a start need, since a buffer that overflows is thrown away whole. */
const translationBufferMiB = 40;

/**
 * How a VM comes to be: booted; booted to become a template; as a clone of a template; as a clone that becomes a
 * parent, which stands still and is forked; or as a fork of one. Memory and state are the supervisor's to open; `disk`
 * is the spare writable disk, a template's own, or the one that a clone's or a fork's is copied from. `socket`: where a
 * parent is asked for forks. `background`: others' work goes first.
 */
export type Origin =
  | { readonly from: 'boot' }
  | ({ readonly from: 'template' | 'clone' } & Saved)
  | ({ readonly from: 'parent'; readonly socket: string } & Saved)
  | { readonly from: 'fork'; readonly socket: string; readonly disk: string; readonly background?: true };

interface Saved {
  readonly memory: string;
  readonly saved: string;
  readonly disk: string;
  readonly background?: true;
}

export interface WorkerAdapter {
  /** Of the TAP, on the host. */
  readonly hostName: string;
  readonly mac: string;
}

export interface WorkerDescription {
  readonly name: string;
  readonly machine: Machine;
  readonly accelerator: Accelerator;
  /** The container's part. */
  readonly memoryBytes: number;
  readonly cpus: number;
  /** The guest finds them in this order. */
  readonly adapters: readonly WorkerAdapter[];
  readonly origin: Origin;
  /** Null: the guest measures it, or need not know it. */
  readonly tickRateKhz: number | null;
  /** The file of the writable disk that the VM has from the start; the others get theirs later. */
  readonly spare: string | null;
  readonly vmlinux: string;
  readonly initramfs: string;
  /** The file of `forkLibrary`. */
  readonly forkable: string;
}

/**
 * What QEMU needs beside the guest's own memory: its heap, device state, translation buffer, page tables. Added to the
 * worker's limit.
 */
export const workerOverheadBytes = 256 << 20;
/** What QEMU's own threads may use beside the guest's processors. */
export const workerOverheadCpus = 0.1;
/** QEMU's own, and at most 64 for each of two pools that read and write disks; a processor of the guest is one more. */
export const mostWorkerThreads = 256;

/**
 * Pure: QEMU's words. Nothing is emulated that isn't used; the monitor, the agent's channel and the network come as
 * descriptors.
 */
export function workerCommand(vm: WorkerDescription): string[] {
  const { machine, accelerator, origin, adapters } = vm;
  const memory = `${vmMemoryBytes(vm) / 2 ** 20}M`;
  const share = origin.from === 'template' ? 'on' : 'off'; // a clone's writes are its own
  const append = [
    `console=${machine.console}`,
    ...machine.kernelArguments[accelerator],
    ...(vm.tickRateKhz === null ? [] : [`${machine.tickRateArgument}=${vm.tickRateKhz}`]),
  ].join(' ');
  return [
    program,
    '-name',
    `${vm.name},process=vmwp`,
    '-L',
    '/usr/share/qemu',
    '-nodefaults',
    '-no-user-config',
    '-no-reboot',
    '-display',
    'none',
    '-sandbox',
    'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
    '-machine',
    origin.from === 'boot' ? machine.machineType : `${machine.machineType},memory-backend=memory`,
    ...(origin.from === 'boot'
      ? []
      : [
          '-object',
          `memory-backend-file,id=memory,size=${memory},mem-path=/proc/self/fd/${descriptors.memory},share=${share}`,
        ]),
    ...(origin.from === 'clone' || origin.from === 'parent' ? ['-incoming', 'defer'] : []),
    '-accel',
    accelerator === 'tcg' ? `tcg,tb-size=${translationBufferMiB}` : accelerator,
    '-cpu',
    machine.cpuModel[accelerator],
    '-smp',
    String(vm.cpus),
    '-m',
    memory,
    '-kernel',
    guestKernel,
    '-initrd',
    guestInitramfs,
    '-append',
    append,
    '-chardev',
    `socket,id=qmp,fd=${descriptors.qmp}`,
    '-mon',
    'chardev=qmp,mode=control',
    '-chardev',
    `socket,id=agent,fd=${descriptors.agent}`,
    '-device',
    'virtio-serial-pci,max_ports=2',
    '-device',
    'virtserialport,chardev=agent,name=agent,nr=1',
    '-chardev',
    'stdio,id=console,signal=off',
    '-serial',
    'chardev:console',
    ...emptyDisk('layers', layerDiskBytes, ',read-only=on'),
    ...(vm.spare === null ? emptyDisk('scratch', scratchBytes, '') : spareDisk('scratch')),
    // The kernel's own: a generator within QEMU would give all forks of it the same numbers.
    '-object',
    'rng-random,id=random,filename=/dev/urandom',
    '-device',
    'virtio-rng-pci,rng=random',
    ...adapters.flatMap(({ mac }, index) => [
      '-netdev',
      `tap,id=net${index},fd=${descriptors.firstTap + index}`,
      '-device',
      `virtio-net-pci,netdev=net${index},mac=${mac},romfile=`,
    ]),
  ];
}

function emptyDisk(name: string, bytes: number, access: string): string[] {
  return [
    '-blockdev',
    `driver=null-co,node-name=${name}-empty,size=${bytes},read-zeroes=on`,
    '-blockdev',
    `driver=raw,node-name=${name},file=${name}-empty${access}`,
    ...disk(name),
  ];
}

/** Blocks that the guest frees are given back (discard). */
function spareDisk(name: string): string[] {
  return [
    '-add-fd',
    `fd=${descriptors.spare},set=0`,
    '-blockdev',
    `driver=file,node-name=${name}-spare,filename=/dev/fdset/0,discard=unmap,locking=off`,
    '-blockdev',
    `driver=raw,node-name=${name},file=${name}-spare,discard=unmap`,
    ...disk(name),
  ];
}

/** The serial is how the agent finds it. A full host disk is reported to the guest. */
const disk = (name: string): string[] => [
  '-device',
  `virtio-blk-pci,drive=${name},serial=${name},werror=report,rerror=report`,
];

/** The worker's part of sandbox.plan. */
export function describeWorker(plan: TlvWriter, vm: WorkerDescription, uid: number, cgroups: readonly string[]): void {
  const { origin } = vm;
  plan
    .number(Tag.UID, uid)
    .number(Tag.GID, uid)
    .number(Tag.LENGTH, Math.max(scratchBytes, vm.memoryBytes))
    .strings(Tag.TARGET, cgroups)
    .strings(
      Tag.HOST_NAME,
      vm.adapters.map(({ hostName }) => hostName),
    );
  if (vm.spare !== null) plan.string(Tag.DISK, vm.spare);
  if (origin.from !== 'boot') plan.number(Tag.FLAGS, planFlags[origin.from]);
  if ('socket' in origin) plan.string(Tag.SOURCE, origin.socket);
  if (origin.from === 'fork') return; // all else is its parent's
  plan.strings(Tag.ARG, workerCommand(vm));
  if ('memory' in origin) plan.string(Tag.MEMORY, origin.memory).string(Tag.SAVED, origin.saved);
  const bind = (source: string, path: string) =>
    plan.list(Tag.MOUNT, (mount) => mount.string(Tag.SOURCE, source).string(Tag.PATH, path));
  bind(programOf(vm.machine), program);
  bind(vm.vmlinux, guestKernel);
  bind(vm.initramfs, guestInitramfs);
  if (origin.from === 'parent') bind(vm.forkable, forkLibrary);
  for (const device of ['/dev/null', '/dev/urandom']) bind(device, device);
  for (const path of [...vm.machine.libraries, '/usr/share/qemu', '/usr/share/seabios', '/etc/ld.so.cache'])
    if (existsSync(path)) bind(path, path);
  if (vm.accelerator !== 'kvm') return;
  bind('/dev/kvm', '/dev/kvm');
  plan.number(Tag.GROUP, statSync('/dev/kvm').gid);
}

/** QEMU's path. Throws where it is not installed. */
export function programOf(machine: Machine): string {
  const found = ['/usr/bin', '/usr/local/bin', '/usr/libexec']
    .map((directory) => `${directory}/${machine.qemu}`)
    .find((path) => existsSync(path));
  if (found === undefined)
    throw new TwofoldError('unsupported', `The program ${machine.qemu} is not installed: run set-up again.`);
  return found;
}
