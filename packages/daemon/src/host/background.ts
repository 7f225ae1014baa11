// Owns the start of a process that outlives this one (the daemon, by `twofold up`): a session of its own, output to a
// file.

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { TwofoldError } from '@twofold/contract';

/** Starts `words` detached; `gone` resolves with how it ended, should it end while the caller is still there. */
export function startBackground(
  words: readonly [string, ...string[]],
  logFile: string,
): { pid: number; gone: Promise<string> } {
  mkdirSync(dirname(logFile), { recursive: true, mode: 0o711 });
  const log = openSync(logFile, 'a', 0o600);
  try {
    const child = spawn(words[0], words.slice(1), { detached: true, stdio: ['ignore', log, log], cwd: '/' });
    const gone = new Promise<string>((resolve) => {
      child.on('error', (error) => resolve(error.message));
      child.on('exit', (code, signal) =>
        resolve(signal === null ? `it ended with ${code}` : `it was ended by ${signal}`),
      );
    });
    if (child.pid === undefined) throw new TwofoldError('internal', `Could not start ${words[0]}.`);
    child.unref();
    return { pid: child.pid, gone };
  } finally {
    closeSync(log);
  }
}
