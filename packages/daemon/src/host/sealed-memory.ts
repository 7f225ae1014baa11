// Owns a file's content as memory that nobody can write any more (native/supervisor/seal.c), held by this process: it
// is gone when this process and everybody who has opened it are. Does not know what the memory is good for.

import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { TwofoldError } from '@twofold/contract';

export interface SealedMemory {
  /** Opens it, for root, as long as this process holds it. */
  readonly path: string;
  close(): void;
}

/** The descriptor that the program keeps it at. */
const memoryDescriptor = 9;
const timeoutMs = 30_000;

/** Copies `file` into memory and seals it. */
export async function sealMemory(program: string, file: string, signal: AbortSignal): Promise<SealedMemory> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const child = spawn(program, ['--seal', file], { cwd: '/', env: {}, stdio: 'pipe', signal: within });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => (words += chunk.toString('utf8').slice(0, 500)));
  child.stdout.once('data', () => resolve());
  child.stdin.on('error', () => undefined); // it has ended: its exit tells
  child.once('error', (cause) =>
    reject(new TwofoldError('internal', "Could not put the template's memory in place.", { cause })),
  );
  child.once('close', () => {
    reject(
      new TwofoldError('internal', "Could not put the template's memory in place.", {
        cause: new Error(words.trim() || 'The program gave no reason.'),
      }),
    );
    end();
  });
  try {
    await promise;
    const descriptor = openSync(`/proc/${child.pid}/fd/${memoryDescriptor}`, 'r');
    let open = true;
    return {
      path: `/proc/${process.pid}/fd/${descriptor}`,
      close: () => {
        if (open) closeSync(descriptor);
        open = false;
      },
    };
  } finally {
    child.stdin.end();
    if (child.pid !== undefined) await ended;
  }
}
