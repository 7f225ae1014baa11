// Owns what the name of an instance decides for those who look for its daemon: where its socket is. Several daemons on
// one machine are told apart by that one word; the default instance has none. The front (native/front/words.c) and the
// PowerShell module (powershell/Containers/Engine.ps1) know the same, and tests hold them equal. What else follows from
// the name is the daemon's (packages/daemon/src/settings.ts).

import { TwofoldError } from './errors.ts';

/** Short, since sockets below the run root have paths of 107 bytes at most. */
const pattern = /^[a-z][a-z0-9-]{0,15}$/;

/** The instance of that name; null is the default one: no name, or `default`. Throws `invalid-argument`. */
export function instanceNamed(name: string | undefined): string | null {
  if (name === undefined || name === '' || name === 'default') return null;
  if (!pattern.test(name))
    throw new TwofoldError(
      'invalid-argument',
      `"${name.slice(0, 60)}" is not a valid instance name: use one to sixteen lowercase letters, digits and hyphens, beginning with a letter.`,
    );
  return name;
}

export const runRootOf = (instance: string | null): string =>
  instance === null ? '/run/twofold' : `/run/twofold-${instance}`;

export const socketOf = (instance: string | null): string => `${runRootOf(instance)}/twofold.sock`;

/** The named instance whose socket that is; null for any other socket. */
export function instanceAt(socketPath: string): string | null {
  const name = /^\/run\/twofold-([^/]+)\/twofold\.sock$/.exec(socketPath)?.[1];
  return name !== undefined && pattern.test(name) ? name : null;
}

/** What stands behind `twofold` so that a verb means that instance. */
export const instanceWords = (instance: string | null): string => (instance === null ? '' : `--instance ${instance} `);
