// Owns a run of one of the fuzzers (native/fuzz): libFuzzer begins with the small collection in the repository and goes
// on by changing what it has. An input that ends the program, leaks, hangs or takes too much memory is kept.

import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fuzzers } from '../../packages/cli/src/setup/steps/tested-programs.ts';
import { runBounded, type Ended } from './run-file.ts';

const sources = join(import.meta.dirname, '../../native/fuzz');
/** Inputs that made a fuzzer fail: `build/native/fuzz/TARGET INPUT` shows it again. */
export const findings = join(fuzzers, 'findings');

/** An input that takes longer is a finding. */
const inputTimeoutSeconds = 20;
const memoryMebibytes = 1024;
/** Start and the writing of what was found, on a busy machine. */
const graceMs = 60_000;

/** Every parser of hostile bytes has one. */
export async function fuzzTargets(): Promise<string[]> {
  const names = await readdir(sources);
  return names
    .filter((name) => name.endsWith('.c'))
    .map((name) => name.slice(0, -'.c'.length))
    .toSorted();
}

export interface FuzzLimits {
  readonly seconds: number;
  /** Where inputs that reach something new are kept; without it they are forgotten. */
  readonly keep?: string;
  /** The same inputs each time, and no more than that many. */
  readonly runs?: number;
}

export async function fuzz(target: string, { seconds, keep, runs }: FuzzLimits): Promise<Ended> {
  const kept = keep ?? (await mkdtemp(join(tmpdir(), 'twofold-fuzz-')));
  try {
    for (const directory of [kept, findings]) await mkdir(directory, { recursive: true });
    return await runBounded(
      [
        join(fuzzers, target),
        ...(runs === undefined ? [] : ['-seed=1', `-runs=${runs}`]),
        `-max_total_time=${seconds}`,
        `-timeout=${inputTimeoutSeconds}`,
        `-rss_limit_mb=${memoryMebibytes}`,
        `-artifact_prefix=${join(findings, `${target}-`)}`,
        '-close_fd_mask=1',
        '-verbosity=1',
        kept,
        join(sources, 'corpus', target),
      ],
      seconds * 1000 + graceMs,
    );
  } finally {
    if (keep === undefined) await rm(kept, { recursive: true, force: true });
  }
}
