// Owns waiting for the end of a container. Does not end it.

import { TwofoldError, type ContainerId } from '@twofold/contract';
import { exitCodeOf, isUp } from '../lifecycle.ts';
import type { Room } from '../room.ts';
import type { Ending } from './presence.ts';
import { orAborted } from './queue.ts';

type Condition = 'not-running' | 'next-exit' | 'removed';

/** See Containers.wait. */
export function waitForContainer(
  room: Room,
  id: ContainerId,
  condition: Condition,
  signal: AbortSignal,
): Promise<{ statusCode: number; error?: string }> {
  const { life } = room.records.need(id);
  if (condition === 'not-running' && !isUp(life) && life.at !== 'restarting') {
    return Promise.resolve({
      statusCode: exitCodeOf(life),
      ...('error' in life && life.error !== '' ? { error: life.error } : {}),
    });
  }
  const { promise, resolve } = Promise.withResolvers<{ statusCode: number; error?: string }>();
  let last = exitCodeOf(life);
  const listener = room.presences.of(id).onEnding((ending: Ending) => {
    if (ending.kind === 'exit' || ending.kind === 'start-failed') last = ending.exitCode;
    if (fits(condition, ending)) resolve({ statusCode: last, ...('error' in ending ? { error: ending.error } : {}) });
  });
  const stopped = AbortSignal.any([signal, room.closing]);
  return orAborted(promise, stopped)
    .catch((error: unknown) => {
      if (room.closing.aborted) throw new TwofoldError('cancelled', 'The daemon is shutting down.', { cause: error });
      throw error;
    })
    .finally(() => listener[Symbol.dispose]());
}

/** As dockerd has it, `not-running` is told of the end of a run that is followed by a restart, too. */
function fits(condition: Condition, { kind }: Ending): boolean {
  if (kind === 'unwritten-exit') return false;
  const removal = kind === 'removed' || kind === 'removal-failed';
  return condition === 'removed' ? removal : kind !== 'removal-failed';
}
