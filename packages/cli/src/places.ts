// Owns where things are by default, as far as the CLI must know before there is a daemon to ask. Makes nothing.

import { join, resolve } from 'node:path';
import { installedDirectory } from '@twofold/daemon/host/own-program.ts';
import { defaults } from '@twofold/daemon/settings.ts';

/**
 * What set-up reads besides its own code: the checkout, or, when the installed program runs, its own copy of what it
 * needs of that (setup/steps/app.ts). Nothing that is installed reads a checkout.
 */
export const repository = installedDirectory ?? resolve(import.meta.dirname, '../../..');

/** Set-up's own sources: what a step makes depends on them, too. */
export const setupSources = join(repository, 'packages/cli/src/setup');

export interface Places {
  readonly dataRoot: string;
  /** Built parts: programs, kernel, initramfs, base images. Shared by daemons. */
  readonly libRoot: string;
  /** Path of the daemon's socket. */
  readonly socket: string;
}

/** Defaults, with what the caller names in their place. */
export function placesOf(named: Partial<Places> = {}): Places {
  return {
    dataRoot: named.dataRoot ?? defaults.dataRoot,
    libRoot: named.libRoot ?? defaults.libRoot,
    socket: named.socket ?? defaults.socket,
  };
}

/** What set-up builds below the library root, and where. */
export const libraryParts = (libRoot: string) => ({
  /** CLI and daemon, bundled, with the Node that runs them: a directory for each version (setup/app/). */
  app: join(libRoot, 'app'),
  programs: join(libRoot, 'bin'),
  kernel: join(libRoot, 'kernel'),
  initramfs: join(libRoot, 'initramfs'),
  /** Layer with which waiting VMs rehearse. */
  rehearsal: join(libRoot, 'rehearsal.erofs'),
  baseImages: join(libRoot, 'base-images'),
  templates: join(libRoot, 'templates'),
  accelerator: join(libRoot, 'accelerator.json'),
  /** PowerShell for this machine (installation/) and for containers (image.erofs). */
  powershell: join(libRoot, 'powershell'),
  stamps: join(libRoot, 'stamps'),
  /** What Node has compiled of the daemon (packages/daemon/src/main.ts). */
  compiled: join(libRoot, 'compiled'),
});
