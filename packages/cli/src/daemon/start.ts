// Owns starting the daemon in the background: by systemd where its unit is installed, otherwise by ourselves. Ready
// means that it answers.

import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { TwofoldError } from '@twofold/contract';
import { startBackground } from '@twofold/daemon/host/background.ts';
import { runCommand } from '@twofold/daemon/host/command.ts';
import type { Instance, Settings } from '@twofold/daemon/settings.ts';
import { libraryParts } from '../places.ts';
import { appCommand } from '../setup/app/place.ts';
import { ping } from './ask.ts';
import { isAsInstalled } from './words.ts';

/** The unit of an instance is made of a template that all named ones share. */
export const unitOf = (instance: Instance | null): string =>
  instance === null ? 'twofold.service' : `twofold@${instance.name}.service`;
export const unitFiles = {
  default: '/etc/systemd/system/twofold.service',
  named: '/etc/systemd/system/twofold@.service',
};
const pauseMs = 20;

export const logFileOf = (settings: Settings): string => join(settings.runRoot, 'twofoldd.log');

/**
 * The daemon's command line, for `up` and for the unit: the installed program's, whoever asks. `npm run twofoldd` runs
 * it from the sources.
 */
export function daemonCommand(libRoot: string, words: readonly string[]): [string, ...string[]] {
  return [...appCommand(libRoot, 'daemon'), ...words];
}

/** True when systemd runs this machine and has our unit for that instance. */
export function bySystemd(instance: Instance | null): boolean {
  return existsSync('/run/systemd/system') && existsSync(unitFiles[instance === null ? 'default' : 'named']);
}

/** What set-up has not brought yet, by title; cheap, since `up` asks every time. */
export async function lackingParts(libRoot: string): Promise<string[]> {
  const parts = libraryParts(libRoot);
  const needed: [string, string][] = [
    ['Twofold itself', daemonCommand(libRoot, [])[0]],
    ['native programs', join(parts.programs, 'twofold-supervisor')],
    ['kernel of the utility VM', join(parts.kernel, 'release')],
    ['initramfs of the utility VM', parts.initramfs],
    ['accelerator', parts.accelerator],
  ];
  return needed.filter(([, path]) => !existsSync(path)).map(([title]) => title);
}

/** Starts the daemon and resolves once it answers. */
export async function startDaemon(
  settings: Settings,
  words: readonly string[],
  timeoutMs: number,
): Promise<'started' | 'already up'> {
  if ((await ping(settings.socket)) !== null) return 'already up';
  const lacking = await lackingParts(settings.libRoot);
  if (lacking.length > 0)
    throw new TwofoldError('conflict', `Set-up is not complete (${lacking.join(', ')}). Run: sudo twofold setup`);
  const unit = unitOf(settings.instance);
  const systemd = bySystemd(settings.instance) && isAsInstalled(settings);
  const logged = await stat(logFileOf(settings)).then(
    (file) => file.size,
    () => 0,
  );
  let ended: string | null = null;
  if (systemd) await runCommand('start the service', ['systemctl', 'start', unit], { timeoutMs });
  else
    void startBackground(daemonCommand(settings.libRoot, words), logFileOf(settings)).gone.then((how) => (ended = how));
  const deadline = performance.now() + timeoutMs;
  while ((await ping(settings.socket)) === null) {
    const why = ended as string | null;
    if (why !== null || performance.now() > deadline) {
      const where = systemd ? `journalctl -u ${unit}` : logFileOf(settings);
      throw new TwofoldError(
        'internal',
        `The daemon ${why === null ? `did not answer within ${timeoutMs / 1000} s` : `did not come up: ${why}`}. Its last words (${where}):\n${systemd ? '' : await lastLines(logFileOf(settings), logged)}`,
      );
    }
    await wait(pauseMs);
  }
  return 'started';
}

/** Of what this start has written, not the ones before it. */
async function lastLines(file: string, from: number): Promise<string> {
  const text = (await readFile(file).catch(() => Buffer.alloc(0))).subarray(from).toString('utf8');
  return text
    .trimEnd()
    .split('\n')
    .slice(-8)
    .map((line) => `  ${line}`)
    .join('\n');
}
