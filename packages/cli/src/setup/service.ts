// Owns the installation of the systemd units: that of the default instance, and a template for named ones, both out of
// packaging/systemd/twofold.service. On wish only: `twofold up` does without them.

import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import { runCommand } from '@twofold/daemon/host/command.ts';
import { daemonCommand, unitFiles } from '../daemon/start.ts';
import { repository } from '../places.ts';

/** systemd reads backslash, quotes, % and $ in a command line. */
const quoted = (word: string): string =>
  `"${word.replace(/["\\]/g, '\\$&').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`;

/** A unit's text for the program that is installed below `libRoot`; of named instances systemd knows the name. */
export function renderUnit(template: string, libRoot: string, whose: keyof typeof unitFiles): string {
  const words = daemonCommand(libRoot, ['--lib-root', libRoot]).map(quoted);
  const named = whose === 'named';
  return template
    .replace(/(?<=^ExecStart=)@TWOFOLDD@$/m, () => [...words, ...(named ? ['--instance', '%i'] : [])].join(' '))
    .replace(/^Description=.*$/m, (line) => (named ? `${line} (instance %i)` : line));
}

/** Installs the units and enables the default instance's. */
export async function installService(libRoot: string): Promise<void> {
  if (!existsSync('/run/systemd/system'))
    throw new TwofoldError('unsupported', 'This machine does not run systemd: start the daemon with twofold up.');
  const template = await readFile(join(repository, 'packaging/systemd/twofold.service'), 'utf8');
  for (const whose of ['default', 'named'] as const)
    await writeFile(unitFiles[whose], renderUnit(template, libRoot, whose));
  await runCommand('tell systemd of the units', ['systemctl', 'daemon-reload']);
  await runCommand('enable the service', ['systemctl', 'enable', 'twofold.service']);
}
