// Owns the command `twofold` on the path: a line of shell that starts the CLI on the right Node, since the machine's own may be older.

import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import { repository } from '../../places.ts';
import type { Step } from '../step.ts';

export const commandFile = '/usr/local/bin/twofold';
const mark = '# Written by twofold setup.';

function content(): string {
  const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
  const build = quoted(join(repository, 'build'));
  // Node keeps what it compiles for each user apart, and writes it or does without: who can't write in the checkout has it at home. Not in
  // a home that is another's (sudo may leave it so), since what lies there is run.
  return ['#!/bin/sh', mark, `cache=${build}/compile-cache`, `[ -w ${build} ] || [ ! -O "$HOME" ] || cache="$HOME/.cache/twofold"`,
    ': "${NODE_COMPILE_CACHE:=$cache}"', 'export NODE_COMPILE_CACHE',
    `exec ${quoted(process.execPath)} --disable-warning=ExperimentalWarning ${quoted(join(repository, 'packages/cli/src/main.ts'))} "$@"`, ''].join('\n');
}

/** True for the file that this step writes, of whichever checkout. */
export async function isOurCommand(): Promise<boolean> {
  return readFile(commandFile, 'utf8').then((text) => text.includes(mark), () => false);
}

export const command: Step = {
  name: 'command',
  title: 'The command twofold',
  purpose: 'Without it the CLI is called by npm run twofold -- …',
  byHand: `a script ${commandFile} that runs packages/cli/src/main.ts`,
  inputs: async () => [content()],
  async check() {
    const present = await readFile(commandFile, 'utf8').catch(() => null);
    if (present === null) return { there: false, detail: `${commandFile} is not there` };
    return { there: true, detail: present.includes(mark) ? commandFile : `${commandFile} is another program's and is left alone` };
  },
  async mend() {
    const present = await readFile(commandFile, 'utf8').catch(() => null);
    if (present !== null && !present.includes(mark)) return;
    try {
      await writeFile(`${commandFile}.new`, content(), { mode: 0o755 });
      await rename(`${commandFile}.new`, commandFile);
    } catch (cause) {
      throw new TwofoldError('internal', `Could not write ${commandFile}.`, { cause });
    }
  },
};
