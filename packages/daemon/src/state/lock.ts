// Owns the exclusive hold on a data root: a second daemon on it is refused. The kernel drops the hold when the daemon
// dies, however it dies, so that no stale lock is ever left. Does not own what is in the data root.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { TwofoldError } from '@twofold/contract';
import { makePrivateFile } from './data-root.ts';

/** Takes the data root for this process, or throws `conflict` naming the process that has it. */
export function lockDataRoot(dataRoot: string): Disposable {
  const holderPath = join(dataRoot, 'daemon.pid');
  // SQLite's exclusive lock is the kernel's byte-range lock; Node itself has no call for one.
  const lockPath = join(dataRoot, 'lock.db');
  makePrivateFile(lockPath); // SQLite would let others read it, and so hold it
  const sqlite = new DatabaseSync(lockPath, { timeout: 0 });
  try {
    sqlite.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (cause) {
    sqlite.close();
    throw new TwofoldError(
      'conflict',
      `Another Twofold daemon${holder(holderPath)} is using ${dataRoot}; stop it, or choose another directory with --data-root.`,
      { cause },
    );
  }
  writeFileSync(holderPath, `${process.pid}\n`, { mode: 0o600 });
  return { [Symbol.dispose]: () => sqlite.isOpen && sqlite.close() };
}

function holder(path: string): string {
  try {
    return ` (process ${readFileSync(path, 'utf8').trim()})`;
  } catch {
    return '';
  }
}
