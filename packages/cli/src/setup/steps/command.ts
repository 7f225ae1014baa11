// Owns the command `twofold` on the path: a few lines of shell that start the CLI on the right Node, since the
// machine's own may be older. The file's interpreter is not the shell but the front (native/front), which asks the
// daemon itself where that is all there is to do, and otherwise gives the file to the shell. So no shell and no Node is
// started for `twofold ps`.

import { constants } from 'node:fs';
import { access, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import { libraryParts } from '../../places.ts';
import { appCommand } from '../app/place.ts';
import type { Step } from '../step.ts';

export const commandFile = '/usr/local/bin/twofold';
const mark = '# Written by twofold setup.';

/** What a kernel reads of a first line, at least; and it splits it at white space. */
const longestFirstLine = 127;

/** The file, for the library below `libRoot`. */
export function commandText(libRoot: string): string {
  const { programs, compiled } = libraryParts(libRoot);
  const firstLine = `#!${join(programs, 'twofold-front')}`;
  const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
  // Node keeps what it compiles. What root runs lies where root alone writes; everybody else's lies at home, unless the
  // home is another's (sudo may leave it so), since what lies there is run.
  return [
    firstLine.length <= longestFirstLine && !/\s/.test(firstLine) ? firstLine : '#!/bin/sh',
    mark,
    `cache=${quoted(compiled)}`,
    `[ -w ${quoted(libRoot)} ] || [ ! -O "$HOME" ] || cache="$HOME/.cache/twofold"`,
    ': "${NODE_COMPILE_CACHE:=$cache}"',
    'export NODE_COMPILE_CACHE',
    `exec ${appCommand(libRoot, 'cli').map(quoted).join(' ')} "$@"`,
    '',
  ].join('\n');
}

/** True for the file that this step writes. */
export async function isOurCommand(): Promise<boolean> {
  return readFile(commandFile, 'utf8').then(
    (text) => text.includes(mark),
    () => false,
  );
}

export const command: Step = {
  name: 'command',
  title: 'The command twofold',
  purpose: 'Without it, call the CLI by npm run twofold -- …',
  byHand: `a script ${commandFile} that runs the installed program`,
  inputs: async ({ places }) => [commandText(places.libRoot)],
  async check() {
    const present = await readFile(commandFile, 'utf8').catch(() => null);
    if (present === null) return { there: false, detail: `${commandFile} does not exist` };
    if (!present.includes(mark))
      return { there: true, detail: `${commandFile} belongs to another program and is left alone` };
    const interpreter = present.slice('#!'.length, present.indexOf('\n'));
    if (
      !(await access(interpreter, constants.X_OK).then(
        () => true,
        () => false,
      ))
    )
      return { there: false, detail: `${interpreter}, which runs ${commandFile}, does not exist` };
    return { there: true, detail: commandFile };
  },
  async mend({ places }) {
    const present = await readFile(commandFile, 'utf8').catch(() => null);
    if (present !== null && !present.includes(mark)) return;
    try {
      await writeFile(`${commandFile}.new`, commandText(places.libRoot), { mode: 0o755 });
      await rename(`${commandFile}.new`, commandFile);
    } catch (cause) {
      throw new TwofoldError('internal', `Could not write ${commandFile}.`, { cause });
    }
  },
};
