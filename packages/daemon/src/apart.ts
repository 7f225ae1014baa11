// Owns what keeps a purge to the daemon that is meant: which of the things that its settings name on the host may be
// another daemon's. Pure.

import { TwofoldError } from '@twofold/contract';
import type { Registered } from './instances.ts';
import { isOurLink } from './networks/plan.ts';
import type { Settings } from './settings.ts';

export interface Apart {
  /** A link of ours and of nobody else's. */
  readonly ownsLink: (name: string) => boolean;
  /** The nftables tables and the chain rules of our prefix are ours alone. */
  readonly ownsRules: boolean;
  /** No other daemon has control groups there or below. */
  readonly ownsCgroups: boolean;
  /** A user id of our range, and of nobody else's. */
  readonly ownsUser: (id: number) => boolean;
  /** Sentences: what stays because it may be another's. */
  readonly stays: readonly string[];
}

const nameOf = (one: Registered): string => (one.instance === null ? one.dataRoot : `instance ${one.instance}`);
const isWithin = (path: string, root: string): boolean => path === root || path.startsWith(`${root}/`);

/** Throws `conflict` when a directory of another daemon's would be removed with ours. Roots have no symbolic links. */
export function keepApart(settings: Settings, others: readonly Registered[]): Apart {
  const { linkPrefix, cgroupParent, workerUids } = settings;
  for (const other of others)
    for (const root of [settings.dataRoot, settings.runRoot])
      for (const theirs of [other.dataRoot, other.runRoot])
        if (isWithin(theirs, root) || isWithin(root, theirs))
          throw new TwofoldError(
            'conflict',
            `${theirs} belongs to another daemon (${nameOf(other)}) and would be removed with ${root}: nothing is removed.`,
          );
  const samePrefix = others.filter((other) => other.linkPrefix === linkPrefix);
  const inGroups = others.filter((other) => isWithin(other.cgroupParent, cgroupParent));
  const inRange = others.filter(
    (other) => other.workerUids.first <= workerUids.last && other.workerUids.last >= workerUids.first,
  );
  const stays = (what: string, whose: readonly Registered[]): string[] =>
    whose.length === 0 ? [] : [`${what} may belong to another daemon (${whose.map(nameOf).join(', ')}) and are kept.`];
  return {
    // `tf10` is tf's eleventh bridge and tf1's first: the longer prefix has it.
    ownsLink: (name) =>
      isOurLink(linkPrefix, name) &&
      !others.some((other) => other.linkPrefix.startsWith(linkPrefix) && isOurLink(other.linkPrefix, name)),
    ownsRules: samePrefix.length === 0,
    ownsCgroups: inGroups.length === 0,
    ownsUser: (id) =>
      id >= workerUids.first &&
      id <= workerUids.last &&
      !inRange.some((other) => id >= other.workerUids.first && id <= other.workerUids.last),
    stays: [
      ...stays(`Links and rules with the prefix ${linkPrefix}`, samePrefix),
      ...stays(`Control groups below ${cgroupParent}`, inGroups),
      ...stays(`Users from ${workerUids.first} to ${workerUids.last}`, inRange),
    ],
  };
}
