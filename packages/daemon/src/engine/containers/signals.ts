// Owns the names and numbers of signals as Docker takes them. Pure.

import { constants } from 'node:os';
import { TwofoldError } from '@twofold/contract';

/** `SIGTERM`, `term`, `15`, `SIGRTMIN+3` → number. Throws `invalid-argument`. */
export function signalNumber(text: string): number {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (number >= 1 && number <= 64) return number;
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  // As in glibc: 32 and 33 are the C library's own.
  const realtime = /^RTM(IN|AX)(?:([+-])(\d+))?$/.exec(name);
  if (realtime !== null) {
    const number = (realtime[1] === 'IN' ? 34 : 64) + Number(`${realtime[2] ?? '+'}${realtime[3] ?? 0}`);
    if (number >= 34 && number <= 64) return number;
  }
  const number = constants.signals[`SIG${name}` as NodeJS.Signals];
  if (number === undefined) throw new TwofoldError('invalid-argument', `Invalid signal: ${text}`);
  return number;
}
