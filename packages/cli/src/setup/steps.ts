// Owns which steps set-up has, and their order: each may use what the ones before it brought.

import type { Step } from './step.ts';
import { installedDirectory } from '@twofold/daemon/host/own-program.ts';
import { accelerator } from './steps/accelerator.ts';
import { app } from './steps/app.ts';
import { nanoserver, windowsServerCore } from './steps/base-images.ts';
import { command } from './steps/command.ts';
import { group } from './steps/group.ts';
import { initramfs } from './steps/initramfs.ts';
import { kernel } from './steps/kernel.ts';
import { native } from './steps/native.ts';
import { packages } from './steps/packages.ts';
import { powershell } from './steps/powershell.ts';
import { powershellModule } from './steps/powershell-module.ts';
import { rehearsal } from './steps/rehearsal.ts';

export const steps: readonly Step[] = [
  packages,
  group,
  native,
  kernel,
  initramfs,
  rehearsal,
  accelerator,
  nanoserver,
  windowsServerCore,
  // The installed program cannot install another one: that takes a checkout.
  ...(installedDirectory === null ? [app] : []),
  command,
  powershellModule,
  powershell,
];
