// Owns the guest's kernel as a step: when it is fetched. How, is vm/kernel.ts's.

import { thisMachine } from '@twofold/daemon/drivers/hyperv/machine.ts';
import { libraryParts } from '../../places.ts';
import { thisDistribution } from '../distribution.ts';
import { buildKernel, findKernel } from '../vm/kernel.ts';
import type { Step } from '../step.ts';

export const kernel: Step = {
  name: 'kernel',
  title: 'Kernel of the utility VM',
  purpose: "Hyper-V containers run on it; the host's own kernel is not changed.",
  byHand: `apt-get download ${thisMachine().kernelPackages[0]} (set-up unpacks it; nothing is installed)`,
  inputs: async () => {
    const { id, version } = await thisDistribution();
    return [id, version, JSON.stringify(thisMachine().kernelPackages)];
  },
  async check(context) {
    const found = await findKernel(libraryParts(context.places.libRoot).kernel);
    return found === null ? { there: false, detail: 'not there' } : { there: true, detail: found.release };
  },
  async mend(context) {
    context.progress("downloading the distribution's kernel for virtual machines");
    await buildKernel(libraryParts(context.places.libRoot).kernel, context.signal);
  },
};
