// Owns the one table from error code to HTTP status, and what of an error a client is told. Does not write responses.

import { callerErrorCodes, type ErrorCode, TwofoldError } from '@twofold/contract';

/** docs/errors.md says the same; a test keeps both equal to the closed sets of the contract. */
export const statusOf = {
  'invalid-argument': 400,
  'container-not-found': 404,
  'image-not-found': 404,
  'network-not-found': 404,
  'adapter-not-found': 404,
  'compute-process-not-found': 404,
  'exec-not-found': 404,
  'plugin-not-found': 404,
  'path-not-found': 404,
  'ambiguous-prefix': 400,
  'name-taken': 409,
  'container-running': 409,
  'container-not-running': 409,
  'container-paused': 409,
  'already-in-that-state': 304,
  conflict: 409,
  'command-not-found': 400,
  'command-not-executable': 400,
  unsupported: 400,
  'not-implemented': 501,
  forbidden: 403,
  'no-swarm': 503,
  'too-large': 413,
  'no-space': 507,
  'sandbox-failed': 500,
  'sandbox-gone': 500,
  protocol: 500,
  cancelled: 504,
  internal: 500,
} satisfies Record<ErrorCode, number>;

/** Tells programs which of the codes it is; Docker's body has no place for it. */
export const errorHeader = 'Twofold-Error';

export interface RenderedError {
  readonly status: number;
  readonly code: ErrorCode;
  readonly message: string;
  /** True when it is Twofold's or the machine's fault and belongs in the log. */
  readonly ours: boolean;
}

// docker's CLI takes its exit codes 127 and 126 from these words in the message, so they have to be there whoever
// raised the error.
const exitWords: Partial<Record<ErrorCode, { readonly any: readonly string[]; readonly otherwise: string }>> = {
  'command-not-found': {
    any: ['executable file not found', 'no such file or directory'],
    otherwise: 'executable file not found in $PATH',
  },
  'command-not-executable': { any: ['permission denied', 'is a directory'], otherwise: 'permission denied' },
};

/** What a client is told of `error`. An error that nobody raised on purpose is `internal`, and its text stays here. */
export function renderError(error: unknown, requestNumber: number): RenderedError {
  if (!(error instanceof TwofoldError)) {
    return {
      status: 500,
      code: 'internal',
      message: `Something went wrong in Twofold; the daemon's log has the details (request ${requestNumber}).`,
      ours: true,
    };
  }
  const words = exitWords[error.code];
  const complete = words === undefined || words.any.some((word) => error.message.includes(word));
  const status = statusOf[error.code];
  return {
    status,
    code: error.code,
    message: complete ? error.message : `${error.message.replace(/\.$/, '')}: ${words.otherwise}`,
    ours: status >= 500 && !(callerErrorCodes as readonly string[]).includes(error.code),
  };
}
