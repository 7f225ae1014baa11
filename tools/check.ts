// Owns `npm run check`: what can be said of the sources without running them. `npm test` begins with the same list.

import { join } from 'node:path';
import { runBounded } from './testing/run-file.ts';

export interface Check {
  readonly title: string;
  readonly words: readonly string[];
}

const program = (path: string): readonly string[] => [process.execPath, join('node_modules', path)];

/** Each is a program that ends with 0 when all is well, run in the repository's root. */
export const checks: readonly Check[] = [
  { title: 'types (tsc)', words: [...program('typescript/bin/tsc'), '--noEmit'] },
  { title: 'lint (oxlint)', words: [...program('oxlint/bin/oxlint'), '--type-aware', '--deny-warnings'] },
  { title: 'format (oxfmt; fix it with: npm run format)', words: [...program('oxfmt/bin/oxfmt'), '--check'] },
  { title: 'documents: paths, links, widths', words: [process.execPath, 'tools/checks/documents.ts'] },
];

export const checkTimeoutMs = 180_000;

if (import.meta.main) {
  process.chdir(join(import.meta.dirname, '..'));
  for (const { title, words } of checks) {
    const { exitCode, output } = await runBounded(words, checkTimeoutMs);
    process.stdout.write(exitCode === 0 ? `ok   ${title}\n` : `FAIL ${title}\n${output}`);
    if (exitCode !== 0) process.exitCode = 1;
  }
}
