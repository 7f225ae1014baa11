// Owns `docker top` as a whole: asks the kernel that runs the container, and has the answer rendered (top.ts).

import { totalmem, uptime } from 'node:os';
import { TwofoldError, type ContainerId } from '@twofold/contract';
import { isUp } from '../lifecycle.ts';
import { sandboxOf } from '../places.ts';
import { noteContainer, type Room } from '../room.ts';
import { bootTimeMs, renderTop } from './top.ts';
import { namesFor } from './user-names.ts';

/** See Containers.top. */
export async function listProcesses(
  room: Room,
  id: ContainerId,
  psArguments: string,
): Promise<{ titles: string[]; processes: string[][] }> {
  const record = room.records.need(id);
  if (!isUp(record.life)) throw new TwofoldError('container-not-running', `container ${id} is not running`);
  const [processes, names] = await Promise.all([
    room.driver(record.isolation).processes({ sandbox: sandboxOf(id), container: id }),
    namesFor(record.isolation),
  ]);
  const nowMs = Date.now();
  const hostBootMs = nowMs - uptime() * 1000;
  const guest = record.isolation === 'hyperv';
  const answer = renderTop(processes, psArguments, {
    bootMs: guest ? (bootTimeMs(processes, record.life) ?? record.life.startedAt) : hostBootMs,
    nowMs,
    memoryBytes: guest ? (record.machine?.memoryBytes ?? totalmem()) : totalmem(),
    ...names,
  });
  noteContainer(room, id, 'top');
  return answer;
}
