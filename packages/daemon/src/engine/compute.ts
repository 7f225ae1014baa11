// Owns the match of worker processes to containers. The workers are read from the running system, never from a table.

import { guid, type ComputeProcess } from '@twofold/contract';
import { containerOf } from './places.ts';
import type { Room } from './room.ts';

/** Every worker of this engine, as Get-ComputeProcess shows it. */
export async function listCompute(room: Room): Promise<ComputeProcess[]> {
  const workers = (await Promise.all(room.drivers().map((driver) => driver.workers()))).flat();
  return workers.flatMap((worker) => {
    const record = room.records.get(containerOf(worker.sandbox));
    if (record === undefined) return []; // on its way out
    return [{ Id: guid(worker.sandbox).toUpperCase(), Name: record.name, Owner: 'VMMS', Type: 'Container', Pid: worker.pid, User: worker.user } as const];
  });
}
