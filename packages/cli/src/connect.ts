// Owns how the CLI reaches the daemon: the socket that was asked for, and what to do when nobody answers there.

import type { Command } from 'commander';
import { TwofoldError } from '@twofold/contract/errors.ts';
import { Twofold, TwofoldApiError } from '@twofold/sdk';
import { placesOf } from './places.ts';

/** The client for `--host`, `TWOFOLD_HOST`, or the default socket. Throws `invalid-argument` for anything but a unix socket. */
export function connect(command: Command): Twofold {
  const { host } = command.optsWithGlobals<{ host?: string }>();
  if (host === undefined) return new Twofold({ socketPath: placesOf().socket });
  const path = host.startsWith('unix://') ? host.slice('unix://'.length) : host;
  if (!path.startsWith('/')) throw new TwofoldError('invalid-argument', `--host "${host}" is not a unix socket: unix:///run/twofold/twofold.sock is one.`);
  return new Twofold({ socketPath: path });
}

/** Turns what the SDK throws when there is no daemon, or no right to ask it, into a sentence that says what to do. */
export function explained(error: unknown, socketPath: string): unknown {
  const code = errorCode(error);
  if (code === 'ENOENT' || code === 'ECONNREFUSED') return new TwofoldError('conflict', `No daemon answers at ${socketPath}. Start it: sudo twofold up`, { cause: error });
  if (code === 'EACCES') return new TwofoldError('forbidden', `No right to use ${socketPath}: use sudo, or join the group twofold.`, { cause: error });
  if (error instanceof TwofoldApiError) return new TwofoldError(error.status >= 500 ? 'internal' : 'invalid-argument', error.message, { cause: error.cause });
  return error;
}

function errorCode(error: unknown): string | undefined {
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    const { code } = one as NodeJS.ErrnoException;
    if (typeof code === 'string') return code;
  }
  return undefined;
}

/** Runs a verb's work with a client, and explains what goes wrong. */
export async function withDaemon<T>(command: Command, work: (twofold: Twofold) => Promise<T>): Promise<T> {
  await using twofold = connect(command);
  try {
    return await work(twofold);
  } catch (error) {
    throw explained(error, twofold.socketPath);
  }
}
