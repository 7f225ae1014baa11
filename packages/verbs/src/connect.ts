// Owns how verbs reach the daemon: the socket that was asked for, and what to do when nobody answers there.

import type { Command } from 'commander';
import { TwofoldError } from '@twofold/contract/errors.ts';
import { instanceAt, instanceNamed, instanceWords, socketOf } from '@twofold/contract/instance.ts';
import { TwofoldApiError, type Twofold } from '@twofold/sdk';
import type { Address, Client } from './client.ts';

/**
 * The socket that `--host` or `--instance` means, or else TWOFOLD_HOST, or else TWOFOLD_INSTANCE; the default
 * instance's when nothing does. Throws `invalid-argument` for what is no unix socket or no name. The front decides the
 * same (native/front/words.c).
 */
export function socketPathOf({ host, instance }: Address, environment: NodeJS.ProcessEnv): string {
  if (host !== undefined && instance !== undefined)
    throw new TwofoldError('invalid-argument', 'Both --host and --instance name a daemon: give only one of them.');
  if (host !== undefined) return pathOf('--host', host);
  if (instance !== undefined) return socketOf(instanceNamed(instance));
  const { TWOFOLD_HOST, TWOFOLD_INSTANCE } = environment;
  if (TWOFOLD_HOST !== undefined && TWOFOLD_HOST !== '') return pathOf('TWOFOLD_HOST', TWOFOLD_HOST);
  return socketOf(instanceNamed(TWOFOLD_INSTANCE));
}

function pathOf(what: string, host: string): string {
  const path = host.startsWith('unix://') ? host.slice('unix://'.length) : host;
  if (!path.startsWith('/'))
    throw new TwofoldError(
      'invalid-argument',
      `${what} "${host}" is not a unix socket: use an address like unix:///run/twofold/twofold.sock.`,
    );
  return path;
}

/** Turns what the SDK throws when there is no daemon, or no right to ask it, into a sentence that says what to do. */
export function explained(error: unknown, socketPath: string): unknown {
  const code = errorCode(error);
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return new TwofoldError(
      'conflict',
      `No daemon answers at ${socketPath}. Start it: sudo twofold ${instanceWords(instanceAt(socketPath))}up`,
      { cause: error },
    );
  if (code === 'EACCES')
    return new TwofoldError(
      'forbidden',
      `You have no permission to use ${socketPath}: use sudo, or join the group twofold.`,
      { cause: error },
    );
  if (error instanceof TwofoldApiError)
    return new TwofoldError(error.status >= 500 ? 'internal' : 'invalid-argument', error.message, {
      cause: error.cause,
    });
  return error;
}

function errorCode(error: unknown): string | undefined {
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    const { code } = one as NodeJS.ErrnoException;
    if (typeof code === 'string') return code;
  }
  return undefined;
}

/** Runs a verb's work with a client of the daemon, and explains what goes wrong. */
export async function withDaemon<T>(
  command: Command,
  client: Client,
  work: (twofold: Twofold) => Promise<T>,
): Promise<T> {
  await using twofold = client.connect(command.optsWithGlobals<Address>());
  try {
    return await work(twofold);
  } catch (error) {
    throw explained(error, twofold.socketPath);
  }
}
