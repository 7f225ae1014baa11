// Owns ulimits. Pure. Defaults are clamped to what the machine allows; what was asked for explicitly is given or
// refused.

import { TwofoldError } from '@twofold/contract';
import type { HostConfig, OciRlimit } from '@twofold/contract';

/**
 * Stands for "no limit" in an OciRlimit: the number itself (2^64 − 1) is beyond what JSON numbers keep exactly; crun
 * reads −1 as it.
 */
export const unlimited = -1;

const names: readonly string[] = [
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
];

// What dockerd gives under its own unit (LimitNOFILE=infinity, which the kernel reads as 2^20; LimitNPROC and
// LimitCORE=infinity).
const defaults: readonly OciRlimit[] = [
  { type: 'RLIMIT_CORE', soft: unlimited, hard: unlimited },
  { type: 'RLIMIT_NOFILE', soft: 1 << 20, hard: 1 << 20 },
  { type: 'RLIMIT_NPROC', soft: unlimited, hard: unlimited },
];

/**
 * The limits of a container's process, in the order of their names. `invalid-argument` for an unknown name, or a hard
 * limit above the machine's.
 */
export function processLimits(
  wishes: NonNullable<HostConfig['Ulimits']>,
  highest: ReadonlyMap<string, number>,
): OciRlimit[] {
  const chosen = new Map<string, OciRlimit>();
  for (const limit of defaults) {
    const bound = highest.get(limit.type) ?? Infinity;
    chosen.set(limit.type, { type: limit.type, soft: atMost(limit.soft, bound), hard: atMost(limit.hard, bound) });
  }
  for (const { Name, Soft, Hard } of wishes) {
    const name = Name.toLowerCase();
    if (!names.includes(name)) throw new TwofoldError('invalid-argument', `invalid ulimit type: ${Name}`);
    if (!Number.isSafeInteger(Soft) || !Number.isSafeInteger(Hard) || Soft < -1 || Hard < -1)
      throw new TwofoldError('invalid-argument', `Ulimit ${name} must be a number, or -1 for none.`);
    if (open(Soft) > open(Hard))
      throw new TwofoldError(
        'invalid-argument',
        `ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard}`,
      );
    const type = `RLIMIT_${name.toUpperCase()}`;
    const bound = highest.get(type) ?? Infinity;
    if (open(Hard) > bound)
      throw new TwofoldError(
        'invalid-argument',
        `Ulimit ${name}=${Soft}:${Hard} is above what this machine allows (${bound}).`,
      );
    chosen.set(type, { type, soft: Soft, hard: Hard });
  }
  return [...chosen.values()].sort((a, b) => (a.type < b.type ? -1 : 1));
}

function open(value: number): number {
  return value === unlimited ? Infinity : value;
}

function atMost(value: number, bound: number): number {
  const least = Math.min(open(value), bound);
  return least === Infinity ? unlimited : least;
}
