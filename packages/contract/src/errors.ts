// Owns the closed set of error codes and the one error class. HTTP statuses are the front door's (api/render-error.ts),
// exit codes the CLI's. docs/errors.md lists every code; a test keeps the three equal.

import { printable } from './printable.ts';

/** The caller can mend these. */
export const callerErrorCodes = [
  'invalid-argument', // a value that is not valid, whatever the state
  'container-not-found',
  'image-not-found',
  'network-not-found',
  'adapter-not-found', // a network adapter of a container
  'compute-process-not-found', // a worker of a utility VM
  'exec-not-found',
  'plugin-not-found', // Docker's plugins: there are none
  'path-not-found', // a path inside a container (cp)
  'ambiguous-prefix', // a short id that fits several
  'name-taken',
  'container-running', // the operation needs it stopped
  'container-not-running', // the operation needs it running
  'container-paused',
  'already-in-that-state', // start of a running container, stop of a stopped one: Docker's 304
  'conflict', // anything else that the present state forbids
  'command-not-found', // exit code 127
  'command-not-executable', // exit code 126
  'unsupported', // this driver, kernel or machine can't do it, and never will as it is
  'not-implemented', // Docker has the word and Twofold doesn't yet
  'forbidden',
  'no-swarm', // a word of a swarm's, which this machine is not part of
  'too-large', // a request body beyond what the door takes
] as const;

/** The machine, the guest or Twofold itself is at fault. */
export const engineErrorCodes = [
  'no-space',
  'sandbox-failed', // the sandbox could not be made: VM did not boot, runtime refused
  'sandbox-gone', // the sandbox ended while it was being spoken to
  'protocol', // a peer (guest, supervisor) broke the frame protocol
  'cancelled', // an AbortSignal fired, or a time limit passed
  'internal',
] as const;

export type ErrorCode = (typeof callerErrorCodes)[number] | (typeof engineErrorCodes)[number];

/**
 * Every error that Twofold raises on purpose. The message is public: it says what was being done and what to do, and
 * never repeats the cause, which stays attached. It may end at a terminal, and names in it may be anybody's.
 */
export class TwofoldError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(printable(message), options);
    this.name = 'TwofoldError';
    this.code = code;
  }
}

/** True when `error` is a TwofoldError, of `code` where one is given. */
export function isTwofoldError(error: unknown, code?: ErrorCode): error is TwofoldError {
  return error instanceof TwofoldError && (code === undefined || error.code === code);
}
