// Owns taking away what set-up brought: built parts, the command, the units, the group. The distribution's packages
// stay, since others may use them by now: which ones set-up installed, is said.

import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '@twofold/daemon/host/command.ts';
import { installedDirectory } from '@twofold/daemon/host/own-program.ts';
import { libraryParts, repository } from '../places.ts';
import { commandFile, isOurCommand } from '../setup/steps/command.ts';
import { removeModule } from '../setup/steps/powershell-module.ts';
import { installedListFile } from '../setup/steps/packages.ts';
import { assertOwnDirectory } from '@twofold/daemon/sweep.ts';
import { removeUnits } from './unit.ts';

/** Removes the installation; returns the packages that set-up had installed. */
export async function removeInstallation(libRoot: string): Promise<string[]> {
  assertOwnDirectory(libRoot);
  const installed: unknown = await readFile(installedListFile(libRoot), 'utf8').then(JSON.parse, () => []);
  if (await isOurCommand()) await rm(commandFile, { force: true });
  await removeModule();
  await removeUnits();
  await runCommand('remove the group', ['groupdel', 'twofold'], { accept: [0, 6] });
  // Piece by piece: a library root that somebody shares with other things keeps those.
  for (const path of Object.values(libraryParts(libRoot))) await rm(path, { recursive: true, force: true });
  await rm(installedListFile(libRoot), { force: true });
  await runCommand('remove the library', ['rmdir', '--ignore-fail-on-non-empty', '--', libRoot], { accept: [0, 1] });
  if (installedDirectory === null)
    for (const name of ['native', 'powershell', 'test-tools'])
      await rm(join(repository, 'build', name), { recursive: true, force: true });
  return Array.isArray(installed) ? installed.map(String) : [];
}
