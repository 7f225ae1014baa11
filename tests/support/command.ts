// Owns running a program in tests: its output as bytes, its exit code, bounded in time. Never throws for an exit code.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface CommandResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Buffer;
}

/** Runs `file` with a word list. `input` is its standard input; without it there is none. Killed after `timeoutMs`. */
export async function command(
  file: string,
  args: readonly string[],
  {
    env = process.env,
    input,
    timeoutMs = 120_000,
    cwd,
  }: { env?: NodeJS.ProcessEnv; input?: string | Buffer; timeoutMs?: number; cwd?: string } = {},
): Promise<CommandResult> {
  const child = spawn(file, args, { env, cwd, stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout!.on('data', (data: Buffer) => out.push(data));
  child.stderr!.on('data', (data: Buffer) => err.push(data));
  if (input !== undefined) {
    // The program may end before it has read everything; its exit code tells.
    child.stdin!.on('error', () => undefined);
    child.stdin!.end(input);
  }
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  clearTimeout(timer);
  const bytes = Buffer.concat(out);
  return { code, signal, bytes, stdout: bytes.toString(), stderr: Buffer.concat(err).toString() };
}
