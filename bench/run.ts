// Owns running one command of a peer and timing it. Knows nothing of what is measured.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Peer } from './peer.ts';

export interface Outcome {
  readonly milliseconds: number;
  readonly stdout: string;
}

/**
 * Runs `words` against `peer` and waits for its end. `stdin` is a file's path.
 * Throws with the command's own standard error when it fails or takes longer than `timeoutMs`.
 */
export async function run(
  peer: Peer,
  words: readonly string[],
  options: { timeoutMs?: number; stdin?: string } = {},
): Promise<Outcome> {
  const { file, args, env } = peer.command(words);
  return runCommand(file, args, { timeoutMs: 120_000, ...options, env });
}

/** Runs `words` and throws its output away, counted: bytes of standard output, and milliseconds. */
export async function drain(
  peer: Peer,
  words: readonly string[],
  timeoutMs = 600_000,
): Promise<{ bytes: number; milliseconds: number }> {
  const { file, args, env } = peer.command(words);
  const began = performance.now();
  const child = spawn(file, args, {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    signal: AbortSignal.timeout(timeoutMs),
  });
  let bytes = 0;
  child.stdout.on('data', (data: Buffer) => {
    bytes += data.length;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}`);
  return { bytes, milliseconds: performance.now() - began };
}

/** As `run`, for any program. */
export async function runCommand(
  file: string,
  args: readonly string[],
  {
    env = process.env,
    timeoutMs = 600_000,
    stdin,
  }: { env?: NodeJS.ProcessEnv; timeoutMs?: number; stdin?: string } = {},
): Promise<Outcome> {
  const began = performance.now();
  const child = spawn(file, args, {
    env,
    stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (stdin !== undefined && child.stdin) createReadStream(stdin).pipe(child.stdin);
  let stdout = '';
  let stderr = '';
  child.stdout!.on('data', (data: Buffer) => {
    stdout += data.toString();
  });
  child.stderr!.on('data', (data: Buffer) => {
    stderr += data.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  const milliseconds = performance.now() - began;
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}: ${stderr.trim()}`);
  return { milliseconds, stdout: stdout.trim() };
}

/** First line of `PROGRAM --version`. */
export async function versionOf(program: string): Promise<string> {
  return (await runCommand(program, ['--version'])).stdout.split('\n')[0]!;
}

/** Asks `ready` every 50 ms until it says true; throws with `what` after `timeoutMs`. */
export async function until(what: string, ready: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await ready())) {
    if (performance.now() > end) throw new Error(`${what} did not come up within ${timeoutMs / 1000} s.`);
    await sleep(50);
  }
}

/** True when the command ends well. */
export async function succeeds(peer: Peer, words: readonly string[]): Promise<boolean> {
  return run(peer, words, { timeoutMs: 10_000 }).then(
    () => true,
    () => false,
  );
}
