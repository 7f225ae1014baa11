// Owns taking an instance's unit out of systemd's start, and the units' files away.

import { readFile, rm } from 'node:fs/promises';
import { runCommand } from '@twofold/daemon/host/command.ts';
import type { Instance } from '@twofold/daemon/settings.ts';
import { bySystemd, unitFiles, unitOf } from '../daemon/start.ts';

/** Its daemon is not started at the next boot any more. */
export async function disableUnit(instance: Instance | null): Promise<void> {
  if (bySystemd(instance))
    await runCommand('disable the service', ['systemctl', 'disable', unitOf(instance)], { accept: [0, 1] });
}

/** Removes the files that set-up wrote; another's of that name are left alone. */
export async function removeUnits(): Promise<void> {
  for (const file of Object.values(unitFiles)) {
    const ours = await readFile(file, 'utf8').then(
      (text) => text.includes('twofoldd'),
      () => false,
    );
    if (!ours) continue;
    await rm(file, { force: true });
    await runCommand('tell systemd', ['systemctl', 'daemon-reload'], { accept: [0, 1] }).catch(() => undefined);
  }
}
