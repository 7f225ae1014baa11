// Owns the reports of native programs that were built with sanitizers (native/sanitized/options.c): a program that
// finds an error of memory in itself ends and leaves one, whoever started it, and whatever the test made of its end.

import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { reports } from '../../packages/cli/src/setup/steps/tested-programs.ts';

/** Takes the reports away; a text for each. */
export async function takeReports(directory = reports): Promise<string[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []; // nothing has been built yet
    throw error;
  });
  return Promise.all(
    names.map(async (name) => {
      const path = join(directory, name);
      const text = await readFile(path, 'utf8');
      await rm(path);
      return text;
    }),
  );
}

/** The sentence that says what was found: `ERROR: AddressSanitizer: heap-use-after-free on address …`. */
export const findingOf = (text: string): string =>
  /(?:ERROR: |runtime error: )[^\n]*/.exec(text)?.[0].slice(0, 160) ?? 'a report without a sentence';
