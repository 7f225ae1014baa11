// Owns the cleaning of names in archives. Names are bytes: they are handled as latin1 strings, one character for each
// byte.

import { TwofoldError } from '@twofold/contract';

export const maxComponentBytes = 255;

/**
 * The components of an archive's name, seen from its root. An absolute name is taken as relative; a `..` that climbs
 * out is an error.
 */
export function cleanPath(name: Buffer): string[] {
  const parts: string[] = [];
  for (const part of name.toString('latin1').split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (parts.pop() === undefined)
        throw new TwofoldError(
          'invalid-argument',
          `The archive's entry ${printable(name)} leads out of the archive by "..".`,
        );
      continue;
    }
    if (part.length > maxComponentBytes)
      throw new TwofoldError(
        'invalid-argument',
        `The archive's entry ${printable(name)} has a name longer than ${maxComponentBytes} bytes.`,
      );
    parts.push(part);
  }
  return parts;
}

/** A name for a message: short, and without control characters. */
export function printable(name: Buffer | string): string {
  const text = typeof name === 'string' ? name : name.toString('utf8');
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
