// Owns the front door's commands on containers: who is meant, in which order, with which job of containers/. Decides
// nothing else.

import { TwofoldError, isTwofoldError, type ContainerId } from '@twofold/contract';
import { addAdapter, changeAdapter, connectNetwork, disconnectNetwork, removeAdapter } from './containers/adapters.ts';
import { createContainer } from './containers/create.ts';
import { checkName } from './containers/name.ts';
import { endpointNames } from './containers/plan.ts';
import { pauseContainer, unpauseContainer } from './containers/pause.ts';
import { PendingAttachment } from './containers/pending-attachment.ts';
import { removeContainer, removeInTurn } from './containers/remove.ts';
import { contentOf } from './containers/size.ts';
import { askToStop, killContainer, type StopOptions } from './containers/stop.ts';
import { updateContainer } from './containers/update.ts';
import { waitForContainer } from './containers/wait.ts';
import type { ContainerRecord, Containers } from './engine.ts';
import { execsOf } from './execs.ts';
import { isUp, judge, type Command } from './lifecycle.ts';
import { sandboxOf } from './places.ts';
import { noteContainer, publishContainer, type Room } from './room.ts';
import type { StoredContainer } from './containers/records.ts';
import type { Supervisor } from './supervisor.ts';

type Core = Omit<
  Containers,
  | 'logs'
  | 'top'
  | 'changes'
  | 'statPath'
  | 'readArchive'
  | 'writeArchive'
  | 'export'
  | 'commit'
  | 'planConversion'
  | 'convert'
  | 'preparePowerShell'
>;

/** The commands on a container's life. Its files and logs are content.ts's. */
export function createContainers(room: Room, supervisor: Supervisor): Core {
  const { records, presences } = room;
  const find = (reference: string): StoredContainer => records.find(reference);
  const refOf = (id: ContainerId) => ({ sandbox: sandboxOf(id), container: id });
  const allow = (command: Command, record: StoredContainer): StoredContainer => {
    const verdict = judge(command, record.life, record);
    if (verdict.is === 'refused') throw new TwofoldError(verdict.code, verdict.message);
    return record;
  };
  const shown = (record: StoredContainer): ContainerRecord => {
    const { stoppedByUser: _stopped, ...rest } = record;
    return { ...rest, execIds: execsOf(room, record.id) };
  };
  /** In turn with everything else that is done to it. `interrupts`: a start under way is given up for it. */
  const inTurn = <T>(id: ContainerId, work: () => Promise<T>, signal?: AbortSignal, interrupts = false): Promise<T> => {
    const presence = presences.of(id);
    if (interrupts)
      presence.starting?.abort(
        new TwofoldError('cancelled', 'The start was abandoned because the container was stopped.'),
      );
    return presence.queue.run(() => {
      records.need(id); // it may have been removed while this waited
      return work();
    }, signal);
  };

  /**
   * What its caller is told of outlives a power cut. Not for creations, starts and ends: who runs a container must not
   * wait for the disk, and their rows follow by themselves (docs/daemon.md).
   */
  const durably = async <T>(work: Promise<T>): Promise<T> => {
    const result = await work;
    await room.flushed();
    return result;
  };

  /** The same of an end, which has happened whatever the disk says. */
  const endDurably = async (work: Promise<void>): Promise<void> => {
    await work;
    await room
      .flushed()
      .catch((error: unknown) =>
        room.log.error({ err: error }, 'The end of a container was saved, but may not have reached the disk.'),
      );
  };

  /**
   * In turn, so that no start reads half of it. A container that runs is refused at once: its start may hold the queue.
   */
  const changeAdapters = async <T>(reference: string, change: (id: ContainerId) => T): Promise<T> => {
    const { id } = allow('change-adapters', find(reference));
    return durably(inTurn(id, async () => change(id)));
  };

  const stop = async (id: ContainerId, options: StopOptions, signal: AbortSignal): Promise<void> => {
    const ended = await inTurn(id, () => askToStop(room, id, options, signal), signal, true);
    await ended();
  };
  const unlessSo = (error: unknown) => {
    if (!isTwofoldError(error, 'already-in-that-state')) throw error;
  };

  return {
    create: async (command) => createContainer(room, command),
    find: (reference) => shown(find(reference)),
    list: () => records.all().map(shown),
    size: (reference, signal) => contentOf(room, find(reference).id, signal),
    start: async (reference, signal) => {
      const { id } = find(reference);
      return inTurn(id, () => supervisor.start(id, signal), signal);
    },
    stop: async (reference, options, signal) => {
      await endDurably(stop(find(reference).id, options, signal));
    },
    restart: async (reference, options, signal) => {
      const { id } = find(reference);
      const presence = presences.of(id);
      presence.restartsAsked++;
      try {
        await stop(id, options, signal).catch(unlessSo);
        // Somebody else may have started it between.
        await inTurn(id, () => supervisor.start(id, signal), signal).catch(unlessSo);
      } finally {
        presence.restartsAsked--;
        if (records.get(id)?.hostConfig.AutoRemove === true) supervisor.removeSoon(id);
      }
      noteContainer(room, id, 'restart');
    },
    kill: async (reference, name, signal) => endDurably(killContainer(room, find(reference).id, name, signal)),
    pause: async (reference) => {
      const { id } = find(reference);
      await inTurn(id, () => pauseContainer(room, id));
    },
    unpause: async (reference) => {
      const { id } = find(reference);
      await inTurn(id, () => unpauseContainer(room, id));
    },
    rename: async (reference, name) => {
      const { id, name: before } = find(reference);
      const wanted = checkName(name);
      if (wanted === before)
        throw new TwofoldError('invalid-argument', 'Renaming a container with the same name as its current name');
      room.together(() => {
        const renamed = records.change(id, { name: wanted });
        // Those on its switches find it by the new name from now on.
        const up = new Set(room.networks.endpointsOf(id).map(({ adapter }) => adapter));
        for (const adapter of renamed.adapters)
          if (up.has(adapter.id)) room.networks.rename(adapter.id, endpointNames(renamed, adapter));
        publishContainer(room, renamed, 'rename', { oldName: `/${before}` });
      });
      await room.flushed();
    },
    remove: async (reference, options, signal) =>
      durably(removeInTurn(room, find(reference).id, options.force, signal)),
    wait: (reference, condition, signal) => waitForContainer(room, find(reference).id, condition, signal),
    attach: async (reference, want, signal) => {
      const record = allow('attach', find(reference));
      const { id, config, isolation } = record;
      const { pending } = presences.of(id);
      const attachment = new PendingAttachment(
        config.Tty ?? false,
        { ...want, stdin: want.stdin && config.OpenStdin === true },
        (gone) => pending.delete(gone),
      );
      await using undo = new AsyncDisposableStack();
      undo.use(attachment); // until it is the caller's, it is let go of when anything fails
      if (isUp(record.life)) {
        const streams = await room
          .driver(isolation)
          .attach(refOf(id), attachment.want, signal)
          .catch((error: unknown) => {
            if (isUp(records.get(id)?.life ?? record.life) && !isTwofoldError(error, 'sandbox-gone')) throw error;
            return null; // it has ended in this moment: an attachment to it is at its end
          });
        if (streams === null) attachment.giveUp();
        else await attachment.connect(streams);
      } else pending.add(attachment);
      noteContainer(room, id, 'attach');
      undo.move();
      return attachment;
    },
    resize: async (reference, size) => {
      const { id, isolation } = allow('resize', find(reference));
      await room.driver(isolation).resize(refOf(id), size);
      noteContainer(room, id, 'resize', { height: String(size.rows), width: String(size.columns) });
    },
    update: async (reference, change) => {
      const result = updateContainer(room, find(reference).id, change.hostConfig);
      await room.flushed();
      return result;
    },
    addAdapter: (reference, wanted) => changeAdapters(reference, (id) => addAdapter(room, id, wanted)),
    changeAdapter: (reference, adapter, change) =>
      changeAdapters(reference, (id) => changeAdapter(room, id, adapter, change)),
    removeAdapter: (reference, adapter) => changeAdapters(reference, (id) => removeAdapter(room, id, adapter)),
    connect: (reference, network, change) =>
      changeAdapters(reference, (id) => connectNetwork(room, id, network, change)),
    disconnect: (reference, network) => changeAdapters(reference, (id) => disconnectNetwork(room, id, network)),
    prune: async (fits) => {
      const deleted: ContainerId[] = [];
      let reclaimedBytes = 0;
      for (const record of records.all()) {
        if (judge('remove', record.life, record).is === 'refused' || !fits(shown(record))) continue;
        const bytes = await contentOf(room, record.id, room.closing);
        try {
          await inTurn(record.id, () => removeContainer(room, record.id, false, room.closing));
        } catch (error) {
          // Somebody was faster: started it, or removed it.
          if (error instanceof TwofoldError && error.code !== 'internal') continue;
          throw error;
        }
        deleted.push(record.id);
        reclaimedBytes += bytes;
      }
      await room.flushed();
      return { deleted, reclaimedBytes };
    },
  };
}
