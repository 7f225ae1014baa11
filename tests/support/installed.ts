// Owns the command `twofold` as set-up installs it, in a directory of a test's own.

import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandText } from '../../packages/cli/src/setup/steps/command.ts';
import { libRoot, program } from './library.ts';

export interface Installed extends Disposable {
  readonly directory: string;
  /** As it is installed. */
  readonly command: string;
  /**
   * The same, but for what the shell would read: it tells that the CLI would have run, and with which words, and ends
   * with 77. The front is the one that tests check.
   */
  readonly frontAlone: string;
}

/** What `frontAlone` writes in place of the CLI, a line for each word. */
export const handedOn = (words: readonly string[]): string => ['the CLI:', ...words, ''].join('\n');

export function installCommand(): Installed {
  const directory = mkdtempSync(join(tmpdir(), 'tff-'));
  const write = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    chmodSync(path, 0o755);
    return path;
  };
  const text = commandText(libRoot);
  // By a short path: a first line holds few characters.
  const front = join(directory, 'front');
  symlinkSync(program('twofold-front'), front);
  return {
    directory,
    command: write('twofold', text),
    frontAlone: write('front-alone', `#!${front}\nprintf '%s\\n' 'the CLI:' "$@"\nexit 77\n`),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}
