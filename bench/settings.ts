// Owns how the Twofold daemons of a run are set: one record for every row, so that no row is had with settings that
// another could not bear.

/**
 * The defaults, but that the waiting VMs which a burst brings end sooner: every burst finds the pool that the first one
 * found.
 */
export const settings: readonly string[] = ['--vm-pool', '1', '--vm-pool-idle', '10'];

/** What the rows that compare ways to make a VM change; no other row does. */
export const variants = {
  'no VM waiting': ['--vm-pool', '0'],
  'no VM waiting, a clone': ['--vm-pool', '0', '--vm-fork', 'false'],
  'cold boot': ['--vm-pool', '0', '--vm-template', 'false'],
} as const satisfies Record<string, readonly string[]>;

export type Variant = keyof typeof variants;
