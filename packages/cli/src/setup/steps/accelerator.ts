// Owns the choice of the accelerator: KVM where a guest really boots under it, otherwise software emulation, which is
// no boundary.

import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import { TwofoldError } from '@twofold/contract';
import { thisMachine, type Accelerator } from '@twofold/daemon/drivers/hyperv/machine.ts';
import { runCommand } from '@twofold/daemon/host/command.ts';
import { libraryParts } from '../../places.ts';
import { tryAccelerator } from '../probe.ts';
import { findKernel } from '../vm/kernel.ts';
import type { Step } from '../step.ts';

/** Content of accelerator.json, which the daemon reads too. */
export interface AcceleratorAnswer {
  readonly accelerator: Accelerator;
  /** Why it is not KVM; '' where it is. */
  readonly reason: string;
  /** How long the trial guest took. */
  readonly bootMs: number;
}

/** QEMU says it in its security page; so do we, wherever emulation is in use. */
export const emulationNotice =
  "Hyper-V containers run under software emulation (TCG) on this machine. QEMU's documentation says that TCG is NO SECURITY BOUNDARY: " +
  'do not rely on it to hold code that you do not trust. It is also about 17 times slower at computing. Make /dev/kvm usable and run set-up again for a real boundary.';

export async function readAccelerator(libRoot: string): Promise<AcceleratorAnswer | null> {
  try {
    const answer = JSON.parse(await readFile(libraryParts(libRoot).accelerator, 'utf8')) as AcceleratorAnswer;
    return answer.accelerator === 'kvm' || answer.accelerator === 'tcg' ? answer : null;
  } catch {
    return null;
  }
}

export const accelerator: Step = {
  name: 'accelerator',
  title: 'Accelerator of the utility VM',
  purpose: 'Says whether a Hyper-V container is a boundary (KVM) or only looks like one (emulation).',
  byHand: 'load kvm_intel or kvm_amd; in a virtual machine, allow nested virtualisation; then run set-up again',
  async inputs(context) {
    const kvm = await stat('/dev/kvm').then(
      (found) => String(found.rdev),
      () => 'none',
    );
    const { stdout } = await runCommand('ask QEMU its version', [thisMachine().qemu, '--version']).catch(() => ({
      stdout: Buffer.alloc(0),
    }));
    return [kvm, release(), stdout, (await findKernel(libraryParts(context.places.libRoot).kernel))?.release ?? ''];
  },
  async check(context) {
    const answer = await readAccelerator(context.places.libRoot);
    if (answer === null) return { there: false, detail: 'not tried yet' };
    return {
      there: true,
      detail:
        answer.accelerator === 'kvm'
          ? `kvm (a guest boots in ${answer.bootMs} ms)`
          : `tcg, software emulation (${answer.reason}; a guest boots in ${answer.bootMs} ms)`,
    };
  },
  async mend(context) {
    const parts = libraryParts(context.places.libRoot);
    const kernel = await findKernel(parts.kernel);
    if (kernel === null) throw new TwofoldError('internal', 'The kernel of the utility VM is missing.');
    context.progress('booting a guest under KVM, for at most 15 s');
    const kvm = await tryAccelerator('kvm', kernel.vmlinux, context.signal);
    let answer: AcceleratorAnswer = { accelerator: 'kvm', reason: '', bootMs: kvm.tookMs };
    if (!kvm.booted) {
      context.progress(`no KVM: ${kvm.reason}; booting one under emulation`);
      const tcg = await tryAccelerator('tcg', kernel.vmlinux, context.signal);
      if (!tcg.booted)
        throw new TwofoldError(
          'sandbox-failed',
          `No guest boots on this machine: under KVM ${kvm.reason}, under emulation ${tcg.reason}.`,
        );
      answer = { accelerator: 'tcg', reason: kvm.reason, bootMs: tcg.tookMs };
    }
    await writeFile(`${parts.accelerator}.new`, `${JSON.stringify(answer)}\n`);
    await rename(`${parts.accelerator}.new`, parts.accelerator);
  },
};
