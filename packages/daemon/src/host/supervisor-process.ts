// Owns the supervisor's process from outside: starting it so that it outlives the daemon, and knowing when it is ready.
// Does not speak with it (supervisor-connection.ts).

import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TwofoldError } from '@twofold/contract';

export interface SupervisorStart {
  /** The twofold-supervisor program. */
  readonly program: string;
  /** The sandbox's directory, with its sandbox.plan. */
  readonly directory: string;
  readonly timeoutMs: number;
}

/** Starts a supervisor and resolves with its process id once its socket listens. One that does not is killed. */
export async function startSupervisor(
  { program, directory, timeoutMs }: SupervisorStart,
  signal: AbortSignal,
): Promise<number> {
  const errorFile = join(directory, 'supervisor.err');
  const errors = openSync(errorFile, 'w', 0o600);
  // A session of its own, and nothing of ours but the ready pipe, which it gives up: it must not die or block with the
  // daemon.
  const child = spawn(program, [directory], { cwd: '/', env: {}, detached: true, stdio: ['ignore', 'pipe', errors] });
  const ready = child.stdout!;
  closeSync(errors);
  const within = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = () =>
    reject(new TwofoldError('cancelled', 'The sandbox was not ready in time.', { cause: within.reason }));
  within.addEventListener('abort', onAbort, { once: true });
  if (within.aborted) onAbort();
  child.once('error', (cause) =>
    reject(new TwofoldError('sandbox-failed', 'The supervisor could not be started.', { cause })),
  );
  child.once('exit', () =>
    reject(new TwofoldError('sandbox-failed', `The sandbox could not be made: ${lastWords(errorFile)}`)),
  );
  ready.once('data', () => resolve());
  try {
    await promise;
    child.unref();
    return child.pid!;
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  } finally {
    within.removeEventListener('abort', onAbort);
    ready.destroy();
  }
}

/** What a supervisor wrote before it ended, in one line. */
export function lastWords(errorFile: string): string {
  try {
    return (
      readFileSync(errorFile, 'utf8').trim().split('\n').slice(-3).join('; ').slice(0, 500) || 'it gave no reason.'
    );
  } catch {
    return 'it gave no reason.';
  }
}
