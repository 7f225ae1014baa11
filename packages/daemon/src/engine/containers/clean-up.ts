// Owns taking away what a run of a container leaves: links, address, sandbox, its directory. Idempotent; the caller
// holds the container's queue. What the container wrote and its log stay.

import { rm } from 'node:fs/promises';
import type { ContainerId } from '@twofold/contract';
import { isUp } from '../lifecycle.ts';
import { sandboxDirectory, sandboxOf } from '../places.ts';
import { publishNetwork, type Room } from '../room.ts';
import { Trace } from '../trace.ts';

/**
 * After this, nothing of the last run is there; `discard`: what the container wrote isn't wanted either. Throws when
 * something could not be taken away: then a new run must not begin.
 */
export async function cleanUp(
  room: Room,
  id: ContainerId,
  { trace = new Trace(), discard = false } = {},
): Promise<void> {
  const [sandbox, endpoints] = await Promise.allSettled([
    endSandbox(room, id, trace, discard),
    trace.step('endpoints', giveBackEndpoints(room, id)),
  ]);
  if (sandbox.status === 'rejected') throw sandbox.reason;
  if (endpoints.status === 'rejected') throw endpoints.reason;
}

async function endSandbox(room: Room, id: ContainerId, trace: Trace, discard: boolean): Promise<void> {
  const presence = room.presences.of(id);
  if (!presence.sandboxUp) return;
  const driver = room.driver(room.records.need(id).isolation);
  const directory = sandboxDirectory(room.settings, id);
  if (!discard)
    await trace.step(
      'container',
      driver
        .deleteContainer({ sandbox: sandboxOf(id), container: id })
        .catch((error: unknown) =>
          room.log.debug(
            { container: id, err: error },
            'The container was not deleted by its sandbox; the whole sandbox is removed.',
          ),
        ),
    );
  await trace.step('sandbox', driver.deleteSandbox(sandboxOf(id), directory, { discard }));
  await rm(directory, { recursive: true, force: true });
  presence.sandboxUp = false;
}

async function giveBackEndpoints(room: Room, id: ContainerId): Promise<void> {
  const endpoints = room.networks.endpointsOf(id);
  if (endpoints.length === 0) return;
  for (const endpoint of endpoints) await room.networks.disconnect(endpoint);
  room.makingRoom(() =>
    room.together(() => {
      room.networks.release(id);
      for (const { network } of endpoints) publishNetwork(room, 'disconnect', room.networks.find(network), id);
    }),
  );
}

/** Resolves when what a run that has ended left is taken away, or could not be. */
export async function cleared(room: Room, id: ContainerId, signal: AbortSignal): Promise<void> {
  const record = room.records.get(id);
  if (record === undefined || isUp(record.life)) return;
  const { queue, starting } = room.presences.of(id);
  if (starting === null) await queue.run(async () => undefined, signal);
}

/** Cleans up in the background when its turn comes, unless a new start has done so before. */
export function cleanUpSoon(room: Room, id: ContainerId): void {
  const presence = room.presences.of(id);
  presence.queue
    .run(async () => {
      const record = room.records.get(id);
      if (record === undefined || isUp(record.life)) return;
      await cleanUp(room, id);
    })
    .catch((error: unknown) =>
      room.log.warn(
        { container: id, err: error },
        'What a run left behind could not be removed; the next start tries again.',
      ),
    );
}
