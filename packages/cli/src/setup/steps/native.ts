// Owns the building of the native programs (native/) into the library. Running supervisors keep the file that they
// started from.

import { chmod, copyFile, mkdir, readFile, rename, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '@twofold/daemon/host/command.ts';
import { libraryParts, repository } from '../../places.ts';
import { treeOf } from '../stamps.ts';
import type { Step } from '../step.ts';

const source = join(repository, 'native');
const built = join(repository, 'build', 'native');

/** What native/Makefile builds; null while there is no make to ask. */
async function programNames(): Promise<string[] | null> {
  const answer = await runCommand('ask make what it builds', ['make', '--silent', '-C', source, 'names']).catch(
    () => null,
  );
  return answer === null
    ? null
    : answer.stdout
        .toString('utf8')
        .split('\n')
        .filter((name) => name !== '');
}

export const native: Step = {
  name: 'native',
  title: 'Native programs',
  purpose: 'Supervisor, guest agent and layer tool: without them no container starts.',
  byHand: 'make -C native (needs gcc, make, musl-tools, libseccomp-dev)',
  inputs: () => treeOf(source),
  async check(context) {
    const programs = libraryParts(context.places.libRoot).programs;
    const names = await programNames();
    if (names === null) return { there: false, detail: 'make is not installed' };
    const missing: string[] = [];
    for (const name of names)
      if (
        !(await stat(join(programs, name)).then(
          (found) => found.isFile(),
          () => false,
        ))
      )
        missing.push(name);
    return missing.length === 0
      ? { there: true, detail: names.join(', ') }
      : { there: false, detail: `not built: ${missing.join(', ')}` };
  },
  async mend(context) {
    const programs = libraryParts(context.places.libRoot).programs;
    await mkdir(programs, { recursive: true, mode: 0o755 });
    await runCommand(
      'build the native programs',
      ['make', '-C', source, `-j${availableParallelism()}`, `OUT=${built}`],
      { timeoutMs: 300_000, signal: context.signal },
    );
    for (const name of (await programNames()) ?? []) {
      const target = join(programs, name);
      const before = await readFile(target).catch(() => null);
      if (before !== null && before.equals(await readFile(join(built, name)))) continue;
      await copyFile(join(built, name), `${target}.new`);
      await chmod(`${target}.new`, 0o755);
      await rename(`${target}.new`, target);
      context.progress(name);
    }
  },
};
