// Owns what a failed command says and with which exit code it ends.

import { isTwofoldError } from '@twofold/contract/errors.ts';
import { printable } from '@twofold/contract/printable.ts';
import type { Client } from './client.ts';
import { paint } from './output.ts';

/** A command that has said all there is to say, and ends with this code. */
export class ExitWith extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.name = 'ExitWith';
    this.exitCode = exitCode;
  }
}

function causes(error: unknown): string[] {
  const lines: string[] = [];
  for (
    let cause = error instanceof Error ? error.cause : undefined;
    cause instanceof Error && lines.length < 8;
    cause = cause.cause
  )
    lines.push(cause.message);
  return lines;
}

/**
 * Tells the user and returns the exit code. An error that nobody raised on purpose shows its stack: it is a fault of
 * ours.
 */
export async function explain(error: unknown, { stderr }: Client): Promise<number> {
  if (error instanceof ExitWith) return error.exitCode;
  const expected = isTwofoldError(error);
  const message = expected ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
  await stderr.write(`${paint('red', 'twofold:', stderr)} ${printable(message)}\n`);
  for (const line of causes(error)) await stderr.write(`  because: ${printable(line)}\n`);
  return 1;
}
