// Owns waiting for several pieces of work of which none may go on when the others are given up.

/** All of them have ended before this does, well or not: the undo must not run beside a step. */
export async function allDone(work: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}
