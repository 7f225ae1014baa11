// Owns the names and numbers of signals as Docker takes them. Pure.

import { constants } from 'node:os';
import { TwofoldError } from './errors.ts';

const SIGTERM = 15;

/** `SIGTERM`, `term`, `15`, `SIGRTMIN+3` → number. Throws `invalid-argument`. */
export function signalNumber(text: string): number {
  const number = parseSignal(text);
  if (number === null) throw new TwofoldError('invalid-argument', `Invalid signal: ${text.slice(0, 40)}`);
  return number;
}

/** What ends a container in peace. As dockerd has it, TERM where an image names a signal that there is not. */
export function stopSignalOf({ StopSignal: text }: { readonly StopSignal?: string }): number {
  return (text ? parseSignal(text) : null) ?? SIGTERM;
}

function parseSignal(text: string): number | null {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    return number >= 1 && number <= 64 ? number : null;
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  // As in glibc: 32 and 33 are the C library's own.
  const realtime = /^RTM(IN|AX)(?:([+-])(\d+))?$/.exec(name);
  if (realtime !== null) {
    const number = (realtime[1] === 'IN' ? 34 : 64) + Number(`${realtime[2] ?? '+'}${realtime[3] ?? 0}`);
    return number >= 34 && number <= 64 ? number : null;
  }
  // System V's name for CHLD is the only one of Linux that Node lacks.
  return constants.signals[`SIG${name === 'CLD' ? 'CHLD' : name}` as NodeJS.Signals] ?? null;
}
