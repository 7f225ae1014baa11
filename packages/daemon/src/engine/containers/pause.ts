// Owns standing still and going on: the freezing of a container and the row that says so.

import { TwofoldError, type ContainerId } from '@twofold/contract';
import { after, judge } from '../lifecycle.ts';
import { sandboxOf } from '../places.ts';
import { publishContainer, type Room } from '../room.ts';

/** See Containers.pause. The caller holds the container's queue. */
export async function pauseContainer(room: Room, id: ContainerId): Promise<void> {
  await change(room, id, 'pause');
}

/** See Containers.unpause. The caller holds the container's queue. */
export async function unpauseContainer(room: Room, id: ContainerId): Promise<void> {
  await change(room, id, 'unpause');
}

async function change(room: Room, id: ContainerId, command: 'pause' | 'unpause'): Promise<void> {
  const record = room.records.need(id);
  const verdict = judge(command, record.life, record);
  if (verdict.is === 'refused') throw new TwofoldError(verdict.code, verdict.message);
  const driver = room.driver(record.isolation);
  const ref = { sandbox: sandboxOf(id), container: id };
  const [act, undo] =
    command === 'pause'
      ? [() => driver.pause(ref), () => driver.resume(ref)]
      : [() => driver.resume(ref), () => driver.pause(ref)];
  await act();
  const before = room.records.need(id);
  const life = after(before.life, { kind: command === 'pause' ? 'paused' : 'resumed' });
  if (life === before.life) return; // it ended meanwhile, which its row says
  try {
    room.together(() => {
      room.records.change(id, { life });
      publishContainer(room, before, command);
    });
  } catch (error) {
    await undo().catch((failed: unknown) =>
      room.log.warn(
        { container: id, err: failed },
        `A change that could not be saved could not be undone either: ${command}.`,
      ),
    );
    throw error;
  }
}
