// Owns the one error that the SDK raises. What it means for a user is the caller's to say.

import { printable } from '@twofold/contract/printable.ts';

/** The daemon refused (`status` is HTTP's, `message` the daemon's own), or could not be reached (`status` is 0). */
export class TwofoldApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string, options?: { cause?: unknown }) {
    super(printable(message), options);
    this.name = 'TwofoldApiError';
    this.status = status;
  }
}

/** True when the daemon said that there is no such thing. */
export function isNotFound(error: unknown): boolean {
  return error instanceof TwofoldApiError && error.status === 404;
}
