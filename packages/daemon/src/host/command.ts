// Owns the running of a program as a word list: bounded in time and output, never through a shell. Input goes in by
// stdin. Does not own long-lived children (supervisors, the CLI's sessions).

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TwofoldError } from '@twofold/contract';

export interface CommandOptions {
  readonly input?: string | Uint8Array;
  /** `file`: standard input is a nameless file, for programs that refuse a socket (Node's pipes are sockets). */
  readonly inputAs?: 'pipe' | 'file';
  readonly cwd?: string;
  /** Added to a minimal environment (PATH, LC_ALL=C). */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** The program is killed after this long; 30 s. */
  readonly timeoutMs?: number;
  /** More output than this is an error; 64 MiB. */
  readonly maxOutputBytes?: number;
  /** Told of output as it comes, for progress; the whole is in the result all the same. */
  readonly onOutput?: (chunk: Buffer) => void;
  /** Exit codes that count as success; [0]. */
  readonly accept?: readonly number[];
}

export interface CommandResult {
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly exitCode: number;
}

/** How a program failed: attached as the cause of the TwofoldError. */
export class CommandFailure extends Error {
  readonly exitCode: number | null;
  readonly stderr: string;
  constructor(words: readonly string[], exitCode: number | null, stderr: string, note: string) {
    super(`${words[0]} ${note}${stderr === '' ? '' : `: ${stderr.trim()}`}`);
    this.name = 'CommandFailure';
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** An open file with this content that has no name any more, positioned at its start. */
function namelessFile(content: string | Uint8Array): number {
  const name = join(tmpdir(), `.twofold-input-${randomUUID()}`);
  const file = openSync(name, 'wx+', 0o600);
  unlinkSync(name);
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done, bytes.length - done, done);
  return file;
}

/** Runs `words` to its end. `doing` completes the sentence of the error: "Could not <doing>." */
export function runCommand(
  doing: string,
  words: readonly [string, ...string[]],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { promise, resolve, reject } = Promise.withResolvers<CommandResult>();
  const limit = AbortSignal.timeout(options.timeoutMs ?? 30_000);
  const signal = options.signal === undefined ? limit : AbortSignal.any([options.signal, limit]);
  const fail = (exitCode: number | null, stderr: string, note: string, code: 'internal' | 'cancelled' = 'internal') => {
    reject(new TwofoldError(code, `Could not ${doing}.`, { cause: new CommandFailure(words, exitCode, stderr, note) }));
  };
  if (signal.aborted) {
    fail(null, '', 'was cancelled before it started', 'cancelled');
    return promise;
  }
  const file = options.inputAs === 'file' ? namelessFile(options.input ?? '') : null;
  const child = spawn(words[0], words.slice(1), {
    cwd: options.cwd,
    env: { PATH: path, LC_ALL: 'C', ...options.env },
    stdio: [file ?? 'pipe', 'pipe', 'pipe'],
  });
  if (file !== null) closeSync(file);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  let size = 0;
  let note = '';
  const stop = () => {
    note ||= limit.aborted ? 'took too long' : 'was cancelled';
    child.kill('SIGKILL');
  };
  signal.addEventListener('abort', stop, { once: true });
  const collect = (into: Buffer[]) => (chunk: Buffer) => {
    into.push(chunk);
    options.onOutput?.(chunk);
    size += chunk.length;
    if (size > (options.maxOutputBytes ?? 64 << 20)) {
      note = 'wrote more than it may';
      child.kill('SIGKILL');
    }
  };
  child.stdout!.on('data', collect(out));
  child.stderr!.on('data', collect(err));
  child.stdin?.on('error', () => undefined); // a program that doesn't read its input says why by its exit code
  child.stdin?.end(options.input ?? '');
  child.on('error', (error) => {
    signal.removeEventListener('abort', stop);
    fail(null, '', `could not be started (${(error as NodeJS.ErrnoException).code ?? error.message})`);
  });
  child.on('close', (exitCode) => {
    signal.removeEventListener('abort', stop);
    const stderr = Buffer.concat(err).toString('utf8');
    if (note !== '') fail(exitCode, stderr, note, signal.aborted ? 'cancelled' : 'internal');
    else if (exitCode === null || !(options.accept ?? [0]).includes(exitCode))
      fail(exitCode, stderr, exitCode === null ? `was ended by ${child.signalCode}` : `ended with ${exitCode}`);
    else resolve({ stdout: Buffer.concat(out), stderr, exitCode });
  });
  return promise;
}
