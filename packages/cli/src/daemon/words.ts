// Owns which settings `up` and `down` mean: the daemon's own flags, and what `up` was given last, so that a plain
// `down` finds it.

import { mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readCommandLine } from '@twofold/daemon/command-line.ts';
import { defaults, type Settings } from '@twofold/daemon/settings.ts';
import { ExitWith } from '@twofold/verbs/failure.ts';

const memory = join(defaults.runRoot, 'up.json');

/** The settings that these words mean; the daemon's own check of them. */
export function settingsOf(words: readonly string[]): Settings {
  const settings = readCommandLine(words);
  if (settings === null) throw new ExitWith(0); // help has been printed
  return settings;
}

/** Words as given, or those of the last `up` when none are. */
export async function wordsOrLast(words: readonly string[]): Promise<readonly string[]> {
  if (words.length > 0) return words;
  const kept: unknown = await readFile(memory, 'utf8').then(JSON.parse, () => []);
  return Array.isArray(kept) && kept.every((word) => typeof word === 'string') ? kept : [];
}

/** Kept below the default run root, whatever the daemon's own is: that is where the next `down` looks. */
export async function keepWords(words: readonly string[]): Promise<void> {
  if (words.length === 0) return forgetWords();
  await mkdir(dirname(memory), { recursive: true, mode: 0o711 });
  await writeFile(memory, JSON.stringify(words), { mode: 0o600 });
}

export async function forgetWords(): Promise<void> {
  await rm(memory, { force: true });
  await rmdir(dirname(memory)).catch(() => undefined); // in use: it is the daemon's run root
}
