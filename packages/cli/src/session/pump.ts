// Owns the way between a process in a container and the person's terminal (or pipes): input, output, raw mode, window
// size.

import type { Session } from '@twofold/sdk';

export interface Size {
  readonly rows: number;
  readonly columns: number;
}

/** The size of the terminal on standard output, if it is one. */
export function terminalSize(): Size | undefined {
  return process.stdout.isTTY ? { rows: process.stdout.rows, columns: process.stdout.columns } : undefined;
}

/**
 * Carries input and output until the process has closed its output. With `tty` the person's terminal is raw meanwhile,
 * and `resize` is told of every change of its size. Both directions wait for the slower side.
 */
export async function pump(
  session: Session,
  { stdin, tty, resize }: { stdin: boolean; tty: boolean; resize?: (size: Size) => Promise<void> },
): Promise<void> {
  using undo = new DisposableStack();
  if (tty && resize !== undefined) {
    const tell = (): void => {
      const size = terminalSize();
      // The process may have ended before it hears of a size.
      if (size !== undefined) resize(size).catch(() => undefined);
    };
    process.stdout.on('resize', tell);
    undo.defer(() => process.stdout.off('resize', tell));
    tell();
  }
  if (stdin) {
    if (tty && process.stdin.isTTY) {
      process.stdin.setRawMode(true);
      undo.defer(() => process.stdin.setRawMode(false));
    }
    process.stdin.pipe(session.stdin);
    undo.defer(() => {
      process.stdin.unpipe(session.stdin);
      process.stdin.pause();
    });
  }
  for await (const { stream, data } of session.output) {
    const out = stream === 'stdout' ? process.stdout : process.stderr;
    if (!out.write(data)) await new Promise((resolve) => out.once('drain', resolve));
  }
}
