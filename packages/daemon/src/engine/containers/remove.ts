// Owns the removal of a container: the row says so first, so that a removal that was cut short is finished at the next
// start of the daemon.

import { rename } from 'node:fs/promises';
import { TwofoldError, isTwofoldError, type ContainerId } from '@twofold/contract';
import { removeTree } from '../../host/remove-tree.ts';
import { after, exitCodeOf, isUp, judge } from '../lifecycle.ts';
import { releaseLayers } from '../layer-use.ts';
import { containerDirectory, doomedDirectory } from '../places.ts';
import { publishContainer, type Room } from '../room.ts';
import { Trace } from '../trace.ts';
import { cleanUp } from './clean-up.ts';
import { killForGood, noteStop } from './stop.ts';

/**
 * See Containers.remove. By force nothing patient is waited for: not a stop, a start or a client who reads its files.
 * When this resolves its name is free, whoever has removed it.
 */
export async function removeInTurn(room: Room, id: ContainerId, force: boolean, signal: AbortSignal): Promise<void> {
  const presence = room.presences.of(id);
  const { life } = room.records.need(id);
  if (force) {
    const reason = new TwofoldError('cancelled', 'The container is being removed.');
    for (const patient of [presence.starting, ...presence.streaming]) patient?.abort(reason);
    if (isUp(life)) await killToRemove(room, id, signal);
  } else if (life.at !== 'dead' && !(life.at === 'removing' && presence.queue.idle)) allow(room, id, force);
  await presence.queue.run(async () => {
    const now = room.records.get(id)?.life.at;
    if (now === undefined && force) return;
    // A removal before this one was cut short: nobody else is at it now.
    if (now === 'dead' || now === 'removing') await finishRemoval(room, id, 0);
    else await removeContainer(room, id, force, signal);
  }, signal);
}

/** The caller holds the container's queue. */
export async function removeContainer(room: Room, id: ContainerId, force: boolean, signal: AbortSignal): Promise<void> {
  allow(room, id, force);
  if (isUp(room.records.need(id).life)) await killToRemove(room, id, signal);
  const ended = room.records.need(id);
  room.makingRoom(() =>
    room.records.change(id, { stoppedByUser: true, life: after(ended.life, { kind: 'removal-began' }) }),
  );
  room.presences.of(id).restarting?.abort();
  await finishRemoval(room, id, exitCodeOf(ended.life));
}

function allow(room: Room, id: ContainerId, force: boolean): void {
  const { life, ...who } = room.records.need(id);
  const verdict = judge(force ? 'remove-forced' : 'remove', life, who);
  if (verdict.is === 'refused') throw new TwofoldError(verdict.code, verdict.message);
}

async function killToRemove(room: Room, id: ContainerId, signal: AbortSignal): Promise<void> {
  noteStop(room, id);
  await killForGood(room, id, signal, { discard: true });
}

/** The part after the row says `removing`; may be done again. */
export async function finishRemoval(room: Room, id: ContainerId, exitCode: number): Promise<void> {
  const presence = room.presences.of(id);
  const record = room.records.need(id);
  const trace = new Trace();
  try {
    await cleanUp(room, id, { trace, discard: true });
    await trace.step('files', removeFiles(room, id));
    room.makingRoom(() =>
      room.together(() => {
        room.records.delete(id);
        publishContainer(room, record, 'destroy');
      }),
    );
  } catch (cause) {
    const failure = noteFailure(room, id, cause);
    presence.tell({ kind: 'removal-failed', error: failure.message });
    throw failure;
  }
  for (const [execId, exec] of room.execs) if (exec.container === id) room.execs.delete(execId);
  for (const attachment of presence.pending) attachment.giveUp();
  presence.tell({ kind: 'removed', exitCode });
  room.log.debug({ container: id, ms: trace.report() }, 'A container was removed.');
  room.presences.forget(id);
  if (record.sealedLayers.length > 0) await releaseLayers(room);
}

/** The container is `dead`; where that can't be written it stays `removing`, which is tried again as well. */
function noteFailure(room: Room, id: ContainerId, cause: unknown): TwofoldError {
  const message = `container ${id} could not be removed completely; remove it again to try the rest.`;
  try {
    room.makingRoom(() => room.records.change(id, { life: { at: 'dead', error: message } }));
  } catch (unwritten) {
    room.log.error({ container: id, err: unwritten }, 'The failure of a removal could not be saved.');
  }
  return new TwofoldError(isTwofoldError(cause, 'no-space') ? 'no-space' : 'internal', message, { cause });
}

/**
 * By way of another name: a power cut may take back the row that says `removing`, never the order of a rename and the
 * deletions after it. So what is found in its place at a start is whole, and what is found under the other name was to
 * go.
 */
async function removeFiles(room: Room, id: ContainerId): Promise<void> {
  const doomed = doomedDirectory(room.settings, id);
  await rename(containerDirectory(room.settings, id), doomed).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return; // it has been renamed before
    if (error.code !== 'ENOTEMPTY') throw error;
    await removeTree(doomed);
    await rename(containerDirectory(room.settings, id), doomed);
  });
  await removeTree(doomed);
}
