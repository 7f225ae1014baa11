// Owns the match of worker processes to containers, and the hard end of one. The workers are read from the running
// system, never from a table.

import { TwofoldError, guid, isTwofoldError, type ComputeProcess } from '@twofold/contract';
import { endHard, endsWithin, noteStop } from './containers/stop.ts';
import { containerOf, sandboxOf } from './places.ts';
import { noteContainer, type Room } from './room.ts';
import type { StoredContainer } from './containers/records.ts';

/** From the worker's death to its supervisor's last word. */
const endTimeoutMs = 10_000;

/** Every worker of this engine, as Get-ComputeProcess shows it. */
export async function listCompute(room: Room): Promise<ComputeProcess[]> {
  const workers = (await Promise.all(room.drivers().map((driver) => driver.workers()))).flat();
  return workers.flatMap((worker) => {
    const record = room.records.get(containerOf(worker.sandbox));
    if (record === undefined) return []; // on its way out
    return [
      {
        Id: guid(worker.sandbox).toUpperCase(),
        Name: record.name,
        Owner: 'VMMS',
        Type: 'Container',
        Pid: worker.pid,
        User: worker.user,
      } as const,
    ];
  });
}

/** See Engine.stopCompute. Not in the container's queue: it must reach one that a patient stop is waiting for. */
export async function stopCompute(room: Room, reference: string, signal: AbortSignal): Promise<void> {
  const { id, isolation } = find(room, reference);
  const workers = await room.driver(isolation).workers();
  if (!workers.some(({ sandbox }) => sandbox === sandboxOf(id))) throw noSuch(reference);
  // No policy starts it again.
  noteStop(room, id);
  if (!(await endHard(room, id))) throw noSuch(reference);
  noteContainer(room, id, 'kill', { signal: '9' });
  if (!(await endsWithin(room, id, endTimeoutMs, signal)))
    throw new TwofoldError(
      'internal',
      `The worker of container ${id} was ended, but its supervisor did not report it in time.`,
    );
}

function find(room: Room, reference: string): StoredContainer {
  try {
    return room.records.find(reference);
  } catch (error) {
    throw isTwofoldError(error, 'container-not-found') ? noSuch(reference, error) : error;
  }
}

function noSuch(reference: string, cause?: unknown): TwofoldError {
  return new TwofoldError('compute-process-not-found', `No such compute process: ${reference.slice(0, 80)}`, { cause });
}
