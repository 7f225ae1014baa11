// Owns the installation of the systemd unit (packaging/systemd/twofold.service). On wish only: `twofold up` does
// without it.

import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import { runCommand } from '@twofold/daemon/host/command.ts';
import { daemonCommand, unitFile } from '../daemon/start.ts';
import { repository } from '../places.ts';

/** systemd reads backslash, quotes, % and $ in a command line. */
const quoted = (word: string): string =>
  `"${word.replace(/["\\]/g, '\\$&').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`;

/** The unit's text for the program that is installed below `libRoot`. */
export function renderUnit(template: string, libRoot: string): string {
  const words = daemonCommand(libRoot, ['--lib-root', libRoot]);
  return template.replace(/(?<=^ExecStart=)@TWOFOLDD@$/m, () => words.map(quoted).join(' '));
}

/** Installs and enables the unit. */
export async function installService(libRoot: string): Promise<void> {
  if (!existsSync('/run/systemd/system'))
    throw new TwofoldError('unsupported', 'This machine is not run by systemd: start the daemon with twofold up.');
  const template = await readFile(join(repository, 'packaging/systemd/twofold.service'), 'utf8');
  await writeFile(unitFile, renderUnit(template, libRoot));
  await runCommand('tell systemd of the unit', ['systemctl', 'daemon-reload']);
  await runCommand('enable the service', ['systemctl', 'enable', 'twofold.service']);
}
