// Owns which versions of Docker's API are spoken, and the words for those that are not. Versions are 1.x; the x is kept
// as a number.

import { TwofoldError } from '@twofold/contract';

export const minimumMinor = 24;
export const maximumMinor = 47;
export const minimumVersion = `1.${minimumMinor}`;
export const maximumVersion = `1.${maximumMinor}`;

/**
 * Cuts `/v1.43` off a path. Without it the newest version is meant. Throws Docker's sentences for a version that is not
 * spoken.
 */
export function splitVersion(path: string): { minor: number; path: string } {
  const match = /^\/v([0-9.]+)(\/.*)$/.exec(path);
  if (match === null) return { minor: maximumMinor, path };
  const [, version = '', rest = '/'] = match;
  const parts = /^(\d{1,6})(?:\.(\d{1,6}))?$/.exec(version);
  if (parts === null) throw new TwofoldError('invalid-argument', `invalid API version: "${version}"`);
  const major = Number(parts[1]);
  const minor = Number(parts[2] ?? 0);
  if (major < 1 || (major === 1 && minor < minimumMinor)) {
    throw new TwofoldError(
      'invalid-argument',
      `client version ${version} is too old. Minimum supported API version is ${minimumVersion}, please upgrade your client to a newer version`,
    );
  }
  if (major > 1 || minor > maximumMinor) {
    throw new TwofoldError(
      'invalid-argument',
      `client version ${version} is too new. Maximum supported API version is ${maximumVersion}`,
    );
  }
  return { minor, path: rest };
}
