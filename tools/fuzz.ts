// Owns `npm run fuzz -- [TARGET…] [--seconds N]`: builds the fuzzers and runs each for N seconds (60), one after the
// other. What reaches something new is kept below build/, so that the next run goes on where this one stopped.

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fuzzers } from '../packages/cli/src/setup/steps/tested-programs.ts';
import { findings, fuzz, fuzzTargets } from './testing/fuzz.ts';
import { runBounded } from './testing/run-file.ts';

const repository = join(import.meta.dirname, '..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' } },
});
const seconds = Number(values.seconds);
const targets = await fuzzTargets();
const unknown = positionals.find((name) => !targets.includes(name));
if (unknown !== undefined || !Number.isInteger(seconds) || seconds < 1) {
  process.stderr.write(`usage: npm run fuzz -- [${targets.join(' | ')}]… [--seconds N]\n`);
  process.exit(2);
}

const built = await runBounded(
  ['make', '-C', join(repository, 'native'), 'fuzz', `OUT=${join(repository, 'build/native')}`],
  600_000,
);
if (built.exitCode !== 0) {
  process.stderr.write(`${built.output}\nThe fuzzers need clang and libclang-rt-dev: sudo npm run setup -- --tests\n`);
  process.exit(1);
}
for (const target of positionals.length > 0 ? positionals : targets) {
  const ended = await fuzz(target, { seconds, keep: join(fuzzers, 'inputs', target) });
  const last = /^(?:Done|stat::number_of_executed_units).*$/m.exec(ended.output)?.[0] ?? '';
  process.stdout.write(ended.exitCode === 0 ? `ok   ${target}: ${last}\n` : `FAIL ${target}\n${ended.output}\n`);
  if (ended.exitCode !== 0) {
    process.stdout.write(
      `The input is in ${findings}; once the error is fixed, it belongs in native/fuzz/corpus/${target}.\n`,
    );
    process.exitCode = 1;
  }
}
