// Owns where things are by default, as far as the CLI must know before there is a daemon to ask. Makes nothing.

import { join, resolve } from 'node:path';
import { installedDirectory } from '@twofold/daemon/host/own-program.ts';

/**
 * What set-up builds from (native/, powershell/, packaging/): the checkout, or, when the installed program runs, its
 * own copy of them. Nothing that is installed reads a checkout.
 */
export const repository = installedDirectory ?? resolve(import.meta.dirname, '../../..');

export interface Places {
  readonly dataRoot: string;
  readonly runRoot: string;
  /** Built parts: programs, kernel, initramfs, base images. Shared by daemons. */
  readonly libRoot: string;
  /** Path of the daemon's socket. */
  readonly socket: string;
}

/** Defaults, with what the caller names in their place. */
export function placesOf(named: Partial<Places> = {}): Places {
  const runRoot = named.runRoot ?? '/run/twofold';
  return {
    dataRoot: named.dataRoot ?? '/var/lib/twofold',
    runRoot,
    libRoot: named.libRoot ?? process.env['TWOFOLD_LIB_ROOT'] ?? '/usr/local/lib/twofold',
    socket: named.socket ?? join(runRoot, 'twofold.sock'),
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
  /** PowerShell for this machine (host/) and for containers (image.erofs). */
  powershell: join(libRoot, 'powershell'),
  stamps: join(libRoot, 'stamps'),
  /** What Node has compiled of the daemon (packages/daemon/src/main.ts). */
  compiled: join(libRoot, 'compiled'),
});
