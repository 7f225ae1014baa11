// Owns what both versions of control groups have in common: a tree of directories with a cgroup.procs in each.

import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TwofoldError } from '@twofold/contract';

/** What a file says, or undefined where it is not there (any more). */
export function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Writes a control file; `false` where it is not there. */
export function write(file: string, value: string): boolean {
  try {
    // Never created: on a tmpfs below a missing mount a new file would look like success.
    writeFileSync(file, value, { flag: 'r+' });
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw new TwofoldError('internal', `The control group setting ${file} could not be written.`, { cause: error });
  }
}

export function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw new TwofoldError('sandbox-failed', `The control group ${directory} could not be made.`, { cause: error });
  }
}

/** Ids in a group and below it. */
export function processesBelow(directory: string): number[] {
  const text = read(join(directory, 'cgroup.procs'));
  if (text === undefined) return [];
  const own = text
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
  return [...own, ...childrenOf(directory).flatMap((name) => processesBelow(join(directory, name)))];
}

export function childrenOf(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** Sends SIGKILL; a process that ended meanwhile is what was wanted. */
export function killProcess(pid: number): void {
  try {
    if (pid > 1) process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Removes a tree from its leaves. A group stays busy until its last process has gone for good, hence the tries. */
export async function removeTree(directory: string, signal: AbortSignal): Promise<void> {
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    try {
      removeLeaves(directory);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY')
        throw new TwofoldError('internal', `The control group ${directory} could not be removed.`, { cause: error });
    }
    await waitFor(pauseMs, `The control group ${directory} is still in use.`, signal);
  }
}

function removeLeaves(directory: string): void {
  try {
    rmdirSync(directory);
    return;
  } catch (error) {
    if (isGone(error)) return;
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY' && (error as NodeJS.ErrnoException).code !== 'ENOTEMPTY')
      throw error;
  }
  for (const name of childrenOf(directory)) removeLeaves(join(directory, name));
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** Waits `pauseMs`; throws `cancelled` with the given reason when the signal fires. */
export async function waitFor(pauseMs: number, reason: string, signal: AbortSignal): Promise<void> {
  try {
    await delay(pauseMs, undefined, { signal });
  } catch (error) {
    throw new TwofoldError('cancelled', reason, { cause: error });
  }
}

function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENODEV' || code === 'ENOTDIR';
}
