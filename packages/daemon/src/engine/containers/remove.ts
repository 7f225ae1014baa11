// Owns the removal of a container: the row says so first, so that a removal that was cut short is finished at the next
// start of the daemon.

import { mkdir, rename } from 'node:fs/promises';
import { TwofoldError, type ContainerId } from '@twofold/contract';
import { removeTree } from '../../host/remove-tree.ts';
import { after, exitCodeOf, isUp, judge } from '../lifecycle.ts';
import { releaseLayers } from '../layer-use.ts';
import { containerDirectory, doomedDirectories, doomedDirectory } from '../places.ts';
import { publishContainer, type Room } from '../room.ts';
import { Trace } from '../trace.ts';
import { cleanUp } from './clean-up.ts';
import { killForGood } from './stop.ts';

/** See Containers.remove. The caller holds the container's queue. */
export async function removeContainer(room: Room, id: ContainerId, force: boolean, signal: AbortSignal): Promise<void> {
  const { life, ...who } = room.records.need(id);
  const verdict = judge(force ? 'remove-forced' : 'remove', life, who);
  if (verdict.is === 'refused') throw new TwofoldError(verdict.code, verdict.message);
  if (isUp(life)) {
    room.records.change(id, { stoppedByUser: true });
    await killForGood(room, id, signal);
  }
  const ended = room.records.need(id);
  room.records.change(id, { stoppedByUser: true, life: after(ended.life, { kind: 'removal-began' }) });
  room.presences.of(id).restarting?.abort();
  await finishRemoval(room, id, exitCodeOf(ended.life));
}

/** The part after the row says `removing`; may be done again. */
export async function finishRemoval(room: Room, id: ContainerId, exitCode: number): Promise<void> {
  const presence = room.presences.of(id);
  const record = room.records.need(id);
  const trace = new Trace();
  try {
    await cleanUp(room, id, { trace, discard: true });
    await trace.step('files', removeFiles(room, id));
  } catch (cause) {
    throw noteFailure(room, id, cause);
  }
  room.together(() => {
    room.records.delete(id);
    publishContainer(room, record, 'destroy');
  });
  for (const [execId, exec] of room.execs) if (exec.container === id) room.execs.delete(execId);
  for (const attachment of presence.pending) attachment.giveUp();
  presence.tell({ kind: 'removed', exitCode });
  room.log.debug({ container: id, ms: trace.report() }, 'A container was removed.');
  room.presences.forget(id);
  if (record.sealedLayers.length > 0) await releaseLayers(room);
}

/** The container is `dead`; where that can't be written it stays `removing`, which is tried again as well. */
function noteFailure(room: Room, id: ContainerId, cause: unknown): TwofoldError {
  const message = `container ${id} could not be removed entirely; removing it again tries the rest.`;
  try {
    room.records.change(id, { life: { at: 'dead', error: message } });
  } catch (unwritten) {
    room.log.error({ container: id, err: unwritten }, 'How a removal failed could not be written down.');
  }
  return new TwofoldError('internal', message, { cause });
}

/**
 * By way of another name: a power cut may take back the row that says `removing`, never the order of a rename and the
 * deletions after it. So what is found in its place at a start is whole, and what is found under the other name was to
 * go.
 */
async function removeFiles(room: Room, id: ContainerId): Promise<void> {
  const doomed = doomedDirectory(room.settings, id);
  await mkdir(doomedDirectories(room.settings), { recursive: true, mode: 0o700 });
  await rename(containerDirectory(room.settings, id), doomed).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return; // it has been renamed before
    if (error.code !== 'ENOTEMPTY') throw error;
    await removeTree(doomed);
    await rename(containerDirectory(room.settings, id), doomed);
  });
  await removeTree(doomed);
}
