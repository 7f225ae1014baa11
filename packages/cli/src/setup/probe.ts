// Owns finding out by trial which accelerator boots a guest: /dev/kvm can open, and a guest still never come up. Says
// what happened; what follows from it is steps/accelerator.ts's.

import { open } from 'node:fs/promises';
import { isTwofoldError } from '@twofold/contract';
import { thisMachine, type Accelerator } from '@twofold/daemon/drivers/hyperv/machine.ts';
import { CommandFailure, runCommand } from '@twofold/daemon/host/command.ts';

export interface Trial {
  readonly booted: boolean;
  /** A sentence. */
  readonly reason: string;
  readonly tookMs: number;
}

/** An ordinary boot takes a fraction of it. */
const timeoutMs = { kvm: 15_000, tcg: 90_000 } as const;
/**
 * Without an initramfs the kernel comes up, finds no root file system, says so and reboots, which ends QEMU: nothing of
 * ours is needed in the guest.
 */
const cameUp = 'Unable to mount root fs';

/** Boots the guest's kernel once, as the utility VM's machine. */
export async function tryAccelerator(accelerator: Accelerator, vmlinux: string, signal: AbortSignal): Promise<Trial> {
  const started = performance.now();
  const ended = (booted: boolean, reason: string): Trial => ({
    booted,
    reason,
    tookMs: Math.round(performance.now() - started),
  });
  if (accelerator === 'kvm') {
    try {
      await (await open('/dev/kvm', 'r+')).close();
    } catch (error) {
      return ended(
        false,
        (error as NodeJS.ErrnoException).code === 'ENOENT'
          ? '/dev/kvm does not exist'
          : `/dev/kvm does not open (${(error as NodeJS.ErrnoException).code})`,
      );
    }
  }
  const machine = thisMachine();
  const append = [
    `console=${machine.console}`,
    ...machine.kernelArguments[accelerator].filter((word) => word !== 'quiet'),
  ].join(' ');
  try {
    const { stdout } = await runCommand(
      'boot a guest for trial',
      [
        machine.qemu,
        '-nodefaults',
        '-no-user-config',
        '-display',
        'none',
        '-no-reboot',
        '-machine',
        machine.machineType,
        '-accel',
        accelerator,
        '-cpu',
        machine.cpuModel[accelerator],
        '-m',
        '256',
        '-smp',
        '1',
        '-serial',
        'stdio',
        '-kernel',
        vmlinux,
        '-append',
        append,
      ],
      { timeoutMs: timeoutMs[accelerator], signal, maxOutputBytes: 4 << 20 },
    );
    return stdout.includes(cameUp)
      ? ended(true, 'a guest booted')
      : ended(false, 'the guest ended before its kernel was up');
  } catch (error) {
    signal.throwIfAborted();
    if (isTwofoldError(error, 'cancelled'))
      return ended(false, `a guest did not boot within ${timeoutMs[accelerator] / 1000} s`);
    const text =
      isTwofoldError(error) && error.cause instanceof CommandFailure
        ? error.cause.stderr.trim().split('\n').at(-1)
        : String(error);
    return ended(false, `QEMU refused: ${text}`);
  }
}
