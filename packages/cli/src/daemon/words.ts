// Owns which daemon `up`, `down`, `demo` and `recover` mean: the instance that the words name, the default one without,
// and the daemon's own flags. Nothing is remembered: who called `up` last does not decide which daemon the next `down`
// ends.

import type { Command } from 'commander';
import { instanceNamed, instanceWords, TwofoldError } from '@twofold/contract';
import { readCommandLine } from '@twofold/daemon/command-line.ts';
import type { Settings } from '@twofold/daemon/settings.ts';
import type { Address } from '@twofold/verbs/client.ts';
import { ExitWith } from '@twofold/verbs/failure.ts';

/** The daemon's words in a command's: those behind the verb, and the instance that may stand before it. */
export function daemonWords(command: Command): string[] {
  const { instance } = command.optsWithGlobals<Address>();
  const words = [...(instance === undefined ? [] : ['--instance', instance]), ...command.args];
  const named = words.some((word) => word === '--instance' || word.startsWith('--instance='));
  const meant = process.env['TWOFOLD_INSTANCE'];
  if (!named && instanceNamed(meant) !== null)
    // sudo takes the variable away: what it does must not depend on how one became root.
    throw new TwofoldError(
      'invalid-argument',
      `TWOFOLD_INSTANCE is "${meant}", but ${command.name()} does not use it: give --instance ${meant}, or --instance default.`,
    );
  return words;
}

/** The settings that these words mean; the daemon's own check of them. */
export function settingsOf(words: readonly string[]): Settings {
  const settings = readCommandLine(words);
  if (settings === null) throw new ExitWith(0); // help has been printed
  return settings;
}

/** Whether the words have changed nothing but the instance: its unit starts the same daemon. */
export function isAsInstalled(settings: Settings): boolean {
  const plain = settingsOf(settings.instance === null ? [] : ['--instance', settings.instance.name]);
  return JSON.stringify(plain) === JSON.stringify(settings);
}

/** `the default instance`, `instance a`. */
export const nameOf = ({ instance }: Settings): string =>
  instance === null ? 'the default instance' : `instance ${instance.name}`;

/** What stands before a verb to mean that daemon. */
export const wordsBefore = ({ instance }: Settings): string => instanceWords(instance?.name ?? null);
