// Owns the register of this machine's daemons: each writes down at its start what is its own on this host, so that
// others leave it alone. Also owns the numbers of named instances, from which their bridge prefix, address pool and
// user ids follow (settings.ts). A daemon is told by its data root.
//
//   slot-7 ─▶ NAME                  a claim, made exclusively and whole; it stays until the instance is purged
//   <hash of the data root>.json    Registered; one whose directories are gone counts no more
//
// Nothing here is a lock: state/lock.ts holds a data root. Every change is one step, so a kill at any moment leaves
// either the state before or the one after.

import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { TwofoldError } from '@twofold/contract';
import { highestSlot, type Settings } from './settings.ts';

/** No instance's data root: a name has no dot. Another place is for tests. */
const register = (): string => process.env['TWOFOLD_REGISTER'] ?? '/var/lib/twofold.instances';

const registered = v.object({
  instance: v.nullable(v.string()),
  dataRoot: v.string(),
  runRoot: v.string(),
  libRoot: v.string(),
  linkPrefix: v.string(),
  cgroupParent: v.string(),
  workerUids: v.object({ first: v.number(), last: v.number() }),
});

/** What a daemon has on this host that another one must not touch. */
export type Registered = Readonly<v.InferOutput<typeof registered>>;

const fileOf = (dataRoot: string): string =>
  join(register(), `${createHash('sha256').update(dataRoot).digest('hex').slice(0, 16)}.json`);
/** Of a start that meets others leaving. */
const mostTries = 20;
const slotFile = (slot: number): string => join(register(), `slot-${slot}`);

/**
 * The number of a named instance: the one that it has claimed, or the one that `enter` will claim. Throws `conflict`
 * when none is free.
 */
export function slotOf(instance: string): number {
  // The same name tends to the same number, should the register get lost.
  const begin = createHash('sha256').update(instance).digest().readUInt32BE();
  let free: number | null = null;
  for (let step = 0; step < highestSlot; step += 1) {
    const slot = 1 + ((begin + step) % highestSlot);
    const owner = ownerOf(slot);
    if (owner === instance) return slot;
    if (owner === null) free ??= slot;
  }
  if (free !== null) return free;
  throw new TwofoldError(
    'conflict',
    `This machine already has ${highestSlot} instances, which is the maximum: remove one with twofold --instance NAME down --purge (known: ${[...knownInstances()].join(', ')}).`,
  );
}

/** Names of instances that have been started on this machine and not purged. */
export function knownInstances(): Set<string> {
  const names = list().flatMap((name) => (/^slot-\d+$/.test(name) ? [ownerOf(Number(name.slice(5)))] : []));
  return new Set(names.filter((name) => name !== null).sort());
}

function ownerOf(slot: number): string | null {
  try {
    return readlinkSync(slotFile(slot));
  } catch {
    return null;
  }
}

/** Writes a daemon down; for its start, when it holds its data root. */
export function enter(settings: Settings): void {
  for (let tries = mostTries; ; tries--)
    try {
      mkdirSync(register(), { recursive: true, mode: 0o700 });
      return write(settings);
    } catch (error) {
      // The last of the others has just left, and taken the empty directory along.
      if (tries === 0 || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
}

function write(settings: Settings): void {
  if (settings.instance !== null) claim(settings.instance.name, settings.instance.slot);
  for (const [file, one] of entries()) if (!isThere(one)) rmSync(file, { force: true });
  const { instance, dataRoot, runRoot, libRoot, linkPrefix, cgroupParent, workerUids } = settings;
  const own: Registered = {
    instance: instance?.name ?? null,
    ...{ dataRoot, runRoot, libRoot, linkPrefix, cgroupParent, workerUids },
  };
  const file = fileOf(dataRoot);
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(own), { mode: 0o600 });
  renameSync(`${file}.${process.pid}`, file);
}

function claim(instance: string, slot: number): void {
  try {
    symlinkSync(instance, slotFile(slot));
  } catch (cause) {
    if (ownerOf(slot) === instance) return;
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    // Two instances that were started for the first time in the same moment.
    throw new TwofoldError(
      'conflict',
      `Another instance has just taken the place that ${instance} was to have: start it again.`,
      { cause },
    );
  }
}

/** Takes it out again; for when everything of it is gone. */
export function leave(settings: Settings): void {
  rmSync(fileOf(settings.dataRoot), { force: true });
  if (settings.instance !== null && ownerOf(settings.instance.slot) === settings.instance.name)
    rmSync(slotFile(settings.instance.slot), { force: true });
  try {
    rmdirSync(register());
  } catch {
    // Others are in it, or it is not there.
  }
}

/** Every other daemon that has something on this machine, whether it runs or not. */
export function othersThan(settings: Pick<Settings, 'dataRoot'>): Registered[] {
  return entries().flatMap(([, one]) => (one.dataRoot !== settings.dataRoot && isThere(one) ? [one] : []));
}

/** Someone may have removed its directories by hand. */
const isThere = (one: Registered): boolean => existsSync(one.dataRoot) || existsSync(one.runRoot);

function entries(): [file: string, one: Registered][] {
  return list()
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => {
      const file = join(register(), name);
      const read = v.safeParse(v.pipe(v.string(), v.parseJson(), registered), readOrEmpty(file));
      return read.success ? [[file, read.output] as [string, Registered]] : [];
    });
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // it has just been taken out
  }
}

function list(): string[] {
  try {
    return readdirSync(register());
  } catch {
    return [];
  }
}
