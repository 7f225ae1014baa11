// Owns holding a container's queue over more than one call: while a stream of its files goes to a client.

import type { ContainerId } from '@twofold/contract';
import type { Room } from '../room.ts';

/** Waits for the container's turn and keeps it until disposed. */
export async function takeTurn(room: Room, id: ContainerId, signal: AbortSignal): Promise<AsyncDisposable> {
  const entered = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  const turn = room.presences.of(id).queue.run(async () => {
    entered.resolve();
    await left.promise;
  }, signal);
  turn.catch(entered.reject);
  await entered.promise;
  return {
    async [Symbol.asyncDispose]() {
      left.resolve();
      await turn;
    },
  };
}
