// Owns what differs between processor architectures and accelerators: one record each. Does not start anything.

import { arch } from 'node:process';
import { TwofoldError } from '@twofold/contract';

export type Accelerator = 'kvm' | 'tcg';

export interface Machine {
  /** Name of QEMU's program. */
  readonly qemu: string;
  /** Directories of shared libraries and the loader that QEMU needs; those that exist are shown to it. */
  readonly libraries: readonly string[];
  readonly machineType: string;
  /**
   * A plain model: under emulation costly vector paths are spared by not offering them (measured: boot 2.4 s → 1.95 s).
   */
  readonly cpuModel: Readonly<Record<Accelerator, string>>;
  readonly console: string;
  readonly kernelArguments: Readonly<Record<Accelerator, readonly string[]>>;
  /**
   * How an emulated guest is told the rate of its time stamp counter, which is the host's; it would measure it wrong on
   * a busy machine.
   */
  readonly tickRateArgument: string;
  /** Packages whose kernel will do, first found wins: Debian's, then Ubuntu's. Meta-packages are followed. */
  readonly kernelPackages: readonly string[];
  /** Value of e_machine in the kernel's ELF header. */
  readonly elfMachine: number;
  /** As the OCI seccomp profile and libseccomp name it. */
  readonly seccompArchitecture: string;
}

// Without no_timer_check and tsc=reliable the kernel hangs under emulation (measured). The agent is the only user of
// the console. Of the security modules those that need no policy of somebody's: nobody loads one, and each asked hook
// costs.
const common = [
  'quiet',
  'panic=-1',
  'cryptomgr.notests',
  'rcupdate.rcu_expedited=1',
  'random.trust_cpu=on',
  'lsm=landlock,yama',
  'audit=0',
];

const x64 = [...common, 'reboot=t', 'tsc=reliable', 'no_timer_check', 'i8042.noaux', 'i8042.nokbd'];
// What keeps a processor from guessing across the guest's own borders: QEMU's translated code has all of the guest in
// one address space whatever the guest does, so that it protects nothing there, and costs a TLB flush at every system
// call (docs/decisions/0013-guests-under-emulation.md). Compiling each container's filters (seccomp, devices) to
// machine code that is then translated once more costs more than interpreting them.
const emulated = ['mitigations=off', 'sysctl.net.core.bpf_jit_enable=0'];

const machines: Partial<Record<NodeJS.Architecture, Machine>> = {
  x64: {
    qemu: 'qemu-system-x86_64',
    libraries: ['/usr/lib/x86_64-linux-gnu', '/lib/x86_64-linux-gnu', '/lib64'],
    machineType: 'q35',
    cpuModel: { kvm: 'host', tcg: 'Nehalem' },
    console: 'ttyS0',
    tickRateArgument: 'tsc_early_khz',
    kernelArguments: { kvm: x64, tcg: [...x64, ...emulated] },
    kernelPackages: ['linux-image-cloud-amd64', 'linux-image-virtual', 'linux-image-kvm'],
    elfMachine: 62,
    seccompArchitecture: 'SCMP_ARCH_X86_64',
  },
};

/** The record of the architecture that this process runs on. */
export function thisMachine(): Machine {
  const machine = machines[arch];
  if (machine === undefined)
    throw new TwofoldError('unsupported', `The utility VM is not built for ${arch} processors.`);
  return machine;
}
