// Owns the native programs as the tests run them: with sanitizers, in a library beside the real one, and the fuzzers
// (docs/decisions/0018-native-code-is-tested-with-sanitizers-and-fuzzed.md).

import { mkdir, readdir, rm, stat, symlink } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '@twofold/daemon/host/command.ts';
import { libraryParts, repository } from '../../places.ts';
import { treeOf } from '../stamps.ts';
import type { Step } from '../step.ts';

const source = join(repository, 'native');
const built = join(repository, 'build', 'native');

/** What the programs report goes there (native/Makefile), and the fuzzers are in `fuzzers`. */
export const reports = join(built, 'sanitized', 'reports');
export const fuzzers = join(built, 'fuzz');
/** A library root like the real one, whose programs are checked wherever that can be done. */
export const testedLibrary = join(built, 'sanitized', 'library');

/** The real library by links, but for the programs that were built with sanitizers. */
async function makeLibrary(libRoot: string): Promise<void> {
  const parts = libraryParts(libRoot);
  const sanitized = join(built, 'sanitized');
  await rm(testedLibrary, { recursive: true, force: true });
  await mkdir(join(testedLibrary, 'bin'), { recursive: true });
  await mkdir(parts.templates, { recursive: true, mode: 0o700 });
  for (const path of Object.values(parts))
    if (path !== parts.programs) await symlink(path, join(testedLibrary, path.slice(libRoot.length)));
  const checked = new Set(await readdir(sanitized));
  for (const name of await readdir(parts.programs))
    await symlink(join(checked.has(name) ? sanitized : parts.programs, name), join(testedLibrary, 'bin', name));
}

export const testedPrograms: Step = {
  name: 'tested-programs',
  title: 'Native programs as tests run them',
  purpose: 'The tests find memory errors with them.',
  byHand: 'make -C native sanitized fuzz OUT=../build/native (also needs clang)',
  inputs: async ({ places }) => [places.libRoot, ...(await treeOf(source))],
  async check() {
    const missing: string[] = [];
    for (const path of [reports, join(testedLibrary, 'bin', 'twofold-layer'), join(fuzzers, 'tar')])
      if ((await stat(path).catch(() => null)) === null) missing.push(path);
    return missing.length === 0
      ? { there: true, detail: built }
      : { there: false, detail: `not built: ${missing.join(', ')}` };
  },
  async mend(context) {
    await runCommand(
      'build the native programs with sanitizers',
      ['make', '-C', source, `-j${availableParallelism()}`, 'sanitized', 'fuzz', `OUT=${built}`],
      { timeoutMs: 600_000, signal: context.signal },
    );
    await makeLibrary(context.places.libRoot);
  },
};
