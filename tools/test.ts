// Owns the course of `npm test`: type check and lint, set-up, pure tests, then the tests on real parts. Last line: `N
// passed, M failed` (and `, K skipped`). With arguments, runs the named test files alone: `npm test --
// tests/networks/switch.test.ts`.

import { glob } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { checks, checkTimeoutMs } from './check.ts';
import { endAll, runBounded, runTestFile, type Ended, type FileResult } from './testing/run-file.ts';

const repository = join(import.meta.dirname, '..');
process.chdir(repository);
// Set-up puts commands there that the machine lacks (setup/steps/test-tools.ts).
process.env['PATH'] = `${process.env['PATH']}:/usr/sbin:/sbin:${join(repository, 'build', 'test-tools')}`;

/** Beside other work: alone the longest takes seconds. */
const pureTimeoutMs = 240_000;
/** Under emulation a VM's first boot takes seconds, and a file may boot many. */
const realTimeoutMs = 600_000;
/** Fetches packages and makes base images on a fresh machine. */
const setupTimeoutMs = 1_800_000;

const tally = { passed: 0, failed: 0, skipped: 0 };
let stopped = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    stopped = true;
    endAll();
  });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function indented(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

async function check(
  what: string,
  words: readonly string[],
  timeoutMs: number,
  onOutput?: (text: string) => void,
): Promise<Ended> {
  const ended = await runBounded(words, timeoutMs, onOutput);
  const good = ended.exitCode === 0 && !ended.timedOut;
  tally[good ? 'passed' : 'failed'] += 1;
  say(`${good ? 'ok  ' : 'FAIL'} ${what} (${seconds(ended.tookMs)})${ended.timedOut ? ', out of time' : ''}`);
  if (!good && onOutput === undefined) say(indented(ended.output));
  return ended;
}

function report(result: FileResult): void {
  const count = (kind: keyof typeof tally): number =>
    result.outcomes.filter((outcome) => outcome.result === kind).length;
  for (const kind of ['passed', 'failed', 'skipped'] as const) tally[kind] += count(kind);
  const bad = count('failed') > 0;
  const skipped = count('skipped') > 0 ? `, ${count('skipped')} skipped` : '';
  say(
    `${bad ? 'FAIL' : 'ok  '} ${result.file}: ${count('passed')} passed${bad ? `, ${count('failed')} failed` : ''}${skipped} (${seconds(result.tookMs)})`,
  );
  for (const outcome of result.outcomes)
    if (outcome.result === 'skipped')
      say(`     skipped: ${outcome.name}${outcome.reason === undefined ? '' : ` (${outcome.reason})`}`);
  if (!bad) return;
  say(indented(result.output));
  for (const outcome of result.outcomes) if (outcome.result === 'failed') say(`  failed: ${outcome.name}`);
}

async function runFiles(files: readonly string[], atOnce: number, timeoutMs: number): Promise<void> {
  const waiting = [...files];
  const worker = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined && !stopped; file = waiting.shift())
      report(await runTestFile(file, timeoutMs));
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function find(...patterns: string[]): Promise<string[]> {
  const found: string[] = [];
  for await (const file of glob(patterns, { exclude: (name) => name === 'node_modules' || name === 'build' }))
    found.push(file);
  return found.sort();
}

const setUp = (): Promise<Ended> =>
  check(
    'set-up',
    [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      join(repository, 'packages/cli/src/main.ts'),
      'setup',
      '--tests',
    ],
    setupTimeoutMs,
    (text) => process.stdout.write(text),
  );

const named = process.argv.slice(2).map((file) => relative(repository, resolve(file)));
if (named.length > 0) {
  if (named.some((file) => file.startsWith('tests/'))) await setUp();
  await runFiles(named, 1, realTimeoutMs);
} else {
  for (const { title, words } of checks) await check(title, words, checkTimeoutMs);
  if (!stopped)
    await runFiles(
      await find('packages/*/src/**/*.test.ts', 'tools/**/*.test.ts', 'bench/**/*.test.ts'),
      2,
      pureTimeoutMs,
    );
  if (!stopped) await setUp();
  // One at a time: each boots machines and measures waiting times on what may be two cores.
  if (!stopped) await runFiles(await find('tests/**/*.test.ts'), 1, realTimeoutMs);
}

if (stopped) say('stopped before the end');
process.exitCode = tally.failed > 0 || stopped ? 1 : 0;
say(`${tally.passed} passed, ${tally.failed} failed${tally.skipped > 0 ? `, ${tally.skipped} skipped` : ''}`);
