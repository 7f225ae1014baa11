// Owns what is done when the daemon starts: every container that ran is found again or declared ended, ends that
// happened meanwhile are written down, cut-short removals are finished, and what belongs to nobody is taken away.

import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerId, SandboxId } from '@twofold/contract';
import { cleanUpSoon } from './containers/clean-up.ts';
import { removeTree } from '../host/remove-tree.ts';
import { sweepConversions } from './containers/convert.ts';
import type { StoredContainer } from './containers/records.ts';
import { exitCodeOf, isUp } from './lifecycle.ts';
import { containerDirectory, doomedDirectories, sandboxDirectory, sandboxOf, sandboxesDirectory } from './places.ts';
import { startsWithDaemon } from './restart-policy.ts';
import type { Room } from './room.ts';
import type { Supervisor } from './supervisor.ts';

/** Resolves when the state of every container is true again; clean-up and restarts by policy go on behind. */
export async function reconnectAll(room: Room, supervisor: Supervisor): Promise<void> {
  const { settings, records } = room;
  await mkdir(join(settings.dataRoot, 'containers'), { recursive: true, mode: 0o700 });
  // Now, since a full disk would not have room for it when something is to be removed.
  await mkdir(doomedDirectories(settings), { recursive: true, mode: 0o700 });
  await mkdir(sandboxesDirectory(settings), { recursive: true, mode: 0o700 });
  const sandboxes = new Set(await readdir(sandboxesDirectory(settings)));
  for (const record of records.all()) if (sandboxes.has(record.id)) room.presences.of(record.id).sandboxUp = true;
  await Promise.all(
    records
      .all()
      .filter(({ life }) => isUp(life))
      .map((record) => reconnect(room, supervisor, record)),
  );
  await finishDeletions(room, supervisor);
  await sweepConversions(room);
  for (const { id } of records.all()) {
    room.descriptions.note(id);
    supervisor.inTheEnd(id, () => settle(room, supervisor, id));
  }
  restoreNetworks(room);
  await removeOrphans(room, sandboxes);
}

async function reconnect(room: Room, supervisor: Supervisor, record: StoredContainer): Promise<void> {
  const { id } = record;
  if (!room.drivers().some((driver) => driver.isolation === record.isolation)) {
    // It may well run: this daemon can't tell, so it says nothing.
    room.log.error(
      { container: id, isolation: record.isolation },
      'A container could not be taken over: its isolation is no longer available.',
    );
    return;
  }
  // Anything of it may be there still, be its directory or not.
  room.presences.of(id).sandboxUp = true;
  try {
    const found = await room
      .driver(record.isolation)
      .reconnect(sandboxOf(id), sandboxDirectory(room.settings, id), [id], room.closing);
    const state = found.containers.get(id);
    if (state?.at === 'exited') supervisor.recordExit(id, state.status);
    else if (state?.at === 'running' && isUp(record.life) && record.life.pid === 0)
      // Its row was made by `recover`, which could not know.
      supervisor.inTheEnd(id, () =>
        room.records.change(id, { life: { at: 'running', pid: state.pid, startedAt: state.startedAt } }),
      );
    else if (!found.alive || state?.at !== 'running')
      supervisor.recordUnseenEnd(
        id,
        'The sandbox ended while the daemon was not running, and its exit code is unknown.',
      );
  } catch (error) {
    room.log.error({ container: id, err: error }, 'A container could not be found again and is treated as ended.');
    supervisor.recordUnseenEnd(id, 'The sandbox did not answer after the daemon had started again.');
  }
}

function settle(room: Room, supervisor: Supervisor, id: ContainerId): void {
  const { life, hostConfig, stoppedByUser, restartCount } = room.records.need(id);
  const presence = room.presences.of(id);
  switch (life.at) {
    case 'running':
    case 'paused':
    case 'dead':
      return;
    case 'removing':
      supervisor.removeSoon(id);
      return;
    case 'created':
      // Its start was cut short; whoever asked for it has been told of a failure, and with --rm that is the end of it.
      if (presence.sandboxUp && hostConfig.AutoRemove === true) supervisor.removeSoon(id);
      else if (presence.sandboxUp) cleanUpSoon(room, id);
      return;
    case 'restarting':
      if (presence.restarting === null) supervisor.restartLater(id, 0);
      return;
    case 'exited':
      if (hostConfig.AutoRemove === true) supervisor.removeSoon(id);
      else if (
        startsWithDaemon(hostConfig.RestartPolicy, { exitCode: exitCodeOf(life), restartCount, stoppedByUser })
      ) {
        room.records.change(id, {
          life: { at: 'restarting', startedAt: life.startedAt, finishedAt: life.finishedAt, exitCode: life.exitCode },
        });
        supervisor.restartLater(id, 0);
      } else if (presence.sandboxUp) cleanUpSoon(room, id);
      return;
  }
  life satisfies never;
}

/**
 * What was to be deleted is deleted. Where a row is left, a power cut has taken back what it said last: the container
 * was being removed.
 */
async function finishDeletions(room: Room, supervisor: Supervisor): Promise<void> {
  const { settings, records, log } = room;
  const directory = doomedDirectories(settings);
  for (const name of await readdir(directory).catch(() => [])) {
    const record = records.get(name as ContainerId);
    if (record !== undefined && !isUp(record.life))
      supervisor.inTheEnd(record.id, () => records.change(record.id, { life: { at: 'removing' } }));
    else if (record === undefined)
      await removeTree(join(directory, name)).catch((error: unknown) =>
        log.warn({ container: name, err: error }, 'A removal that was cut short could not be finished.'),
      );
  }
}

/** Bridges outlive the daemon, name servers don't: the switches of running containers are seen to behind. */
function restoreNetworks(room: Room): void {
  const used = new Set(
    room.records
      .all()
      .filter(({ life }) => isUp(life))
      .flatMap(({ id }) => room.networks.endpointsOf(id).map(({ network }) => network)),
  );
  for (const id of used)
    room.networks
      .ensure(id, room.closing)
      .catch((error: unknown) => room.log.warn({ network: id, err: error }, 'A switch could not be restored.'));
}

/**
 * Sandboxes, directories and addresses without a row: of a creation or a removal that was cut short, or of containers
 * that a database does not know that is older than they are. What they hold is kept (docs/daemon.md), and what still
 * runs of the latter is left alone.
 */
async function removeOrphans(room: Room, sandboxes: ReadonlySet<string>): Promise<void> {
  const { settings, records, networks, log } = room;
  const known = (name: string) => records.get(name as ContainerId) !== undefined;
  const warn = (orphan: string) => (error: unknown) =>
    log.warn({ orphan, err: error }, 'What an unknown container left behind could not be removed.');
  for (const name of sandboxes) {
    if (known(name)) continue;
    if (existsSync(containerDirectory(settings, name as ContainerId))) {
      log.warn(
        { orphan: name },
        'A sandbox belongs to a container that the database does not know; it is left alone. `twofold recover` brings its row back.',
      );
      continue;
    }
    const directory = sandboxDirectory(settings, name as SandboxId);
    const drivers = room.drivers();
    await Promise.all(drivers.map((driver) => driver.deleteSandbox(name as SandboxId, directory)))
      .then(() => rm(directory, { recursive: true, force: true }))
      .catch(warn(name));
  }
  for (const name of await readdir(join(settings.dataRoot, 'containers'))) {
    if (known(name) || sandboxes.has(name)) continue;
    try {
      room.lost.take(containerDirectory(settings, name as ContainerId));
    } catch (error) {
      warn(name)(error);
    }
  }
  for (const network of networks.list()) {
    for (const endpoint of networks.endpoints(network.id)) {
      const record = records.get(endpoint.container);
      if (record !== undefined && (isUp(record.life) || room.presences.of(record.id).sandboxUp)) continue;
      await networks
        .disconnect(endpoint)
        .then(() => networks.release(endpoint.container))
        .catch(warn(endpoint.container));
    }
  }
}
