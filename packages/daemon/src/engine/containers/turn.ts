// Owns holding a container's queue over more than one call: while a stream of its files goes to a client.

import type { ContainerId } from '@twofold/contract';
import type { Room } from '../room.ts';

/** Waits for the container's turn and keeps it until disposed; `signal` fires when it is wanted back. */
export async function takeTurn(
  room: Room,
  id: ContainerId,
  signal: AbortSignal,
): Promise<AsyncDisposable & { readonly signal: AbortSignal }> {
  const { queue, streaming } = room.presences.of(id);
  const entered = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  const wanted = new AbortController();
  const turn = queue.run(async () => {
    streaming.add(wanted);
    entered.resolve();
    await left.promise;
    streaming.delete(wanted);
  }, signal);
  turn.catch(entered.reject);
  await entered.promise;
  return {
    signal: wanted.signal,
    async [Symbol.asyncDispose]() {
      left.resolve();
      await turn;
    },
  };
}
