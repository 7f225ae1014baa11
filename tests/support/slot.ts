// Owns what daemons and drivers under test must not share: each gets a number that no other test of this machine has
// meanwhile, and everything that is named or counted on the host follows from it.

import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive } from './processes.ts';

// Daemons under test have a register of their own: what a test that was killed has left there is no reason for others
// to keep their hands off.
process.env['TWOFOLD_REGISTER'] ??= join(tmpdir(), `twofold-test-register-${process.pid}`);

const slots = 200;
const uidsEach = 1000;
const firstUid = 1_900_000_000;
const directory = join(tmpdir(), 'twofold-test-slots');

export interface Slot extends Disposable {
  /** Three letters and digits, of the same length for all: none is the beginning of another. */
  readonly linkPrefix: string;
  /** As `--default-address-pool` takes it. */
  readonly addressPool: string;
  readonly workerUids: { readonly first: number; readonly last: number };
}

/** The first free number; throws when two hundred are taken. One that belongs to a process that has gone is free. */
export function claimSlot(): Slot {
  mkdirSync(directory, { recursive: true });
  for (let number = 0; number < slots; number++) {
    const file = join(directory, String(number));
    if (!take(file)) continue;
    const first = firstUid + number * uidsEach;
    return {
      linkPrefix: `t${(number + 36).toString(36)}`,
      addressPool: `base=10.${100 + (number % 50)}.${Math.floor(number / 50) * 64}.0/18,size=24`,
      workerUids: { first, last: first + uidsEach - 1 },
      [Symbol.dispose]: () => giveBack(file),
    };
  }
  throw new Error(`All ${slots} places for tests are taken (${directory}).`);
}

function take(file: string): boolean {
  for (;;)
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Another test has given back the last one, and the directory with it.
      if (code === 'ENOENT') mkdirSync(directory, { recursive: true });
      else if (code !== 'EEXIST') throw error;
      else if (ownerOf(file) === process.pid || isAlive(ownerOf(file))) return false;
      else rmSync(file, { force: true });
    }
}

/** 0 when the file has gone, or its writer has not come to write it: a claim takes no time worth waiting for. */
function ownerOf(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8')) || process.pid;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

function giveBack(file: string): void {
  rmSync(file, { force: true });
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!['ENOTEMPTY', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
