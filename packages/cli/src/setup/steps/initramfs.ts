// Owns the guest's initramfs as a step: made again when agent, layer tool or kernel change. What is in it, is
// vm/initramfs.ts's.

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import { libraryParts } from '../../places.ts';
import { buildInitramfs } from '../vm/initramfs.ts';
import { findKernel } from '../vm/kernel.ts';
import type { Step } from '../step.ts';

const guestPrograms = ['twofold-agent', 'twofold-layer'] as const;

export const initramfs: Step = {
  name: 'initramfs',
  title: 'Initramfs of the utility VM',
  purpose: 'Holds the agent that runs Hyper-V containers inside their VM.',
  byHand: "set-up builds it from the agent and the kernel's modules",
  async inputs(context) {
    const parts = libraryParts(context.places.libRoot);
    const programs = await Promise.all(
      guestPrograms.map((name) => readFile(join(parts.programs, name)).catch(() => Buffer.alloc(0))),
    );
    return [(await findKernel(parts.kernel))?.release ?? '', ...programs];
  },
  async check(context) {
    const size = await stat(libraryParts(context.places.libRoot).initramfs).then(
      (found) => found.size,
      () => 0,
    );
    return size > 0
      ? { there: true, detail: `${(size / 2 ** 20).toFixed(1)} MiB` }
      : { there: false, detail: 'not there' };
  },
  async mend(context) {
    const parts = libraryParts(context.places.libRoot);
    const kernel = await findKernel(parts.kernel);
    if (kernel === null) throw new TwofoldError('internal', 'The kernel of the utility VM is missing.');
    await buildInitramfs(parts.initramfs, {
      agent: join(parts.programs, 'twofold-agent'),
      layerTool: join(parts.programs, 'twofold-layer'),
      modules: kernel.modules,
    });
  },
};
