// Owns the decision how many VMs should wait. Pure: the pool (pool.ts) acts on it.
//
// As many as were started in the busiest two seconds of the last minute (a setting), at least and at most what is set.
// Where memory is short none is made; those that wait stay until they are taken or too many.

/** Starts so close together find none that was made in between. */
export const burstMs = 2_000;
/** What a waiting VM takes of the host's memory (measured: 55 MiB under emulation). */
export const waitingVmBytes = 60 << 20;
/** Memory comes back without a sign. */
const memoryReviewMs = 10_000;
const mostReserveBytes = 2 * 2 ** 30;

export interface PoolSituation {
  readonly least: number;
  readonly most: number;
  /** So long a burst is remembered; VMs that were made for it are ended then. */
  readonly rememberMs: number;
  readonly nowMs: number;
  /** When VMs were asked for, in order; whether one waited or not. */
  readonly startsMs: readonly number[];
  readonly waiting: number;
  readonly memory: { readonly availableBytes: number; readonly totalBytes: number };
}

export interface PoolDecision {
  readonly wanted: number;
  /** When to decide anew though nothing has happened; null: never. */
  readonly reviewInMs: number | null;
}

export function decidePoolSize({
  least,
  most,
  rememberMs,
  nowMs,
  startsMs,
  waiting,
  memory,
}: PoolSituation): PoolDecision {
  const remembered = startsMs.filter((at) => nowMs - at < rememberMs);
  const target = Math.min(Math.max(busiest(remembered), least), Math.max(least, most));
  const spareBytes = memory.availableBytes - Math.min(memory.totalBytes / 8, mostReserveBytes);
  const wanted = Math.min(target, waiting + Math.max(0, Math.floor(spareBytes / waitingVmBytes)));
  const reviews = [
    ...(wanted < target ? [memoryReviewMs] : []),
    ...(target > least ? [remembered[0]! + rememberMs - nowMs] : []),
  ];
  return { wanted, reviewInMs: reviews.length === 0 ? null : Math.min(...reviews) };
}

/** The most of them within one burst. */
function busiest(startsMs: readonly number[]): number {
  let first = 0;
  let most = 0;
  for (const [last, at] of startsMs.entries()) {
    while (at - startsMs[first]! >= burstMs) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
