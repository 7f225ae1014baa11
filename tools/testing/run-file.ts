// Owns running one program or test file: in a process group of its own, bounded in time, output kept. Ends that group
// and nothing else.

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import type { TestOutcome } from './counts.ts';
import { findingOf, takeReports } from './reports.ts';

export interface Ended {
  readonly exitCode: number | null;
  readonly output: string;
  readonly timedOut: boolean;
  readonly tookMs: number;
}

export interface FileResult extends Ended {
  readonly file: string;
  readonly outcomes: readonly TestOutcome[];
}

const running = new Set<ChildProcess>();
/** A file that is told to end takes away what it has on the host. */
const graceMs = 30_000;

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal);
  } catch {
    // The group has ended by itself.
  }
}

/** Ends what runs: the runner itself was told to stop. */
export function endAll(): void {
  for (const child of running) signalGroup(child, 'SIGTERM');
}

/** Runs words to their end; after `timeoutMs` the group is asked to end, then made to. */
export async function runBounded(
  words: readonly string[],
  timeoutMs: number,
  onOutput?: (text: string) => void,
): Promise<Ended> {
  const started = performance.now();
  const child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  running.add(child);
  const output: Buffer[] = [];
  const collect = (chunk: Buffer): void => {
    output.push(chunk);
    onOutput?.(chunk.toString('utf8'));
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  let timedOut = false;
  let hard: NodeJS.Timeout | undefined;
  const soft = setTimeout(() => {
    timedOut = true;
    signalGroup(child, 'SIGTERM');
    hard = setTimeout(() => signalGroup(child, 'SIGKILL'), graceMs);
  }, timeoutMs);
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const exitCode = await new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(127));
    child.on('exit', (code) => resolve(code));
  });
  // The rest of the output; a process that a test left behind with our pipe must not hold the runner.
  await Promise.race([closed, setTimeoutPromise(1_000, undefined, { ref: false })]);
  clearTimeout(soft);
  clearTimeout(hard);
  running.delete(child);
  child.stdout.destroy();
  child.stderr.destroy();
  return { exitCode, output: Buffer.concat(output).toString('utf8'), timedOut, tookMs: performance.now() - started };
}

/**
 * Runs one test file. A file that ends badly without a failed test to show for it counts as one, and so does each
 * report of a native program.
 */
export async function runTestFile(file: string, timeoutMs: number): Promise<FileResult> {
  const directory = await mkdtemp(join(tmpdir(), 'twofold-test-'));
  try {
    const tally = join(directory, 'outcomes');
    const ended = await runBounded(
      [
        process.execPath,
        '--disable-warning=ExperimentalWarning',
        '--test-reporter=spec',
        '--test-reporter-destination=stdout',
        `--test-reporter=${join(import.meta.dirname, 'counts.ts')}`,
        `--test-reporter-destination=${tally}`,
        file,
      ],
      timeoutMs,
    );
    const text = await readFile(tally, 'utf8').catch(() => '');
    // A line that the file's sudden end cut short is no outcome.
    const outcomes = text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as TestOutcome);
    const reports = await takeReports();
    const found = reports.map((report): TestOutcome => ({ name: findingOf(report), result: 'failed' }));
    return {
      ...ended,
      output: [ended.output, ...reports].join('\n'),
      file,
      outcomes: [...outcomes, ...verdictOnFile(ended, outcomes, timeoutMs), ...found],
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function verdictOnFile(ended: Ended, outcomes: readonly TestOutcome[], timeoutMs: number): TestOutcome[] {
  if (ended.timedOut) return [{ name: `did not end within ${timeoutMs / 1000} s`, result: 'failed' }];
  if (ended.exitCode !== 0 && !outcomes.some((outcome) => outcome.result === 'failed'))
    return [{ name: `ended with ${ended.exitCode}`, result: 'failed' }];
  return outcomes.length === 0 ? [{ name: 'holds no test', result: 'failed' }] : [];
}
