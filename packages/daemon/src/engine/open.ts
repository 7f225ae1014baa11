// Owns the putting together of the engine from its parts, and its opening and closing. main.ts makes the parts.

import { TwofoldError, type Isolation } from '@twofold/contract';
import type { Logger } from 'pino';
import type { Driver } from '../drivers/driver.ts';
import type { Images } from '../images/images.ts';
import type { Networks } from '../networks/networks.ts';
import type { Settings } from '../settings.ts';
import type { Database } from '../state/database.ts';
import type { LostAndFound } from '../state/lost-and-found.ts';
import { listCompute, stopCompute } from './compute.ts';
import { createContainers } from './containers.ts';
import { ContainerDescriptions } from './containers/description.ts';
import { Presences } from './containers/presence.ts';
import { ContainerRecords } from './containers/records.ts';
import { createContent } from './content.ts';
import type { Engine, EngineInfo } from './engine.ts';
import { EventLog } from './events.ts';
import { createExecs } from './execs.ts';
import { createNetworks } from './networks.ts';
import { releaseLayers } from './layer-use.ts';
import { emptyLost, lostThings } from './lost-things.ts';
import { reconnectAll } from './reconnect.ts';
import { publishNetwork, type Room, type Specifications } from './room.ts';
import { Supervisor } from './supervisor.ts';

export interface EngineParts {
  readonly settings: Settings;
  readonly database: Database;
  readonly images: Images;
  readonly networks: Networks;
  readonly log: Logger;
  readonly lost: LostAndFound;
  readonly specifications: Specifications;
  readonly info: EngineInfo;
  /** A driver, or the reason why this machine has none. */
  readonly drivers: ReadonlyMap<Isolation, Driver | { readonly missing: string }>;
}

/** Finds again what runs, and is ready for commands. Disposing it leaves containers running. */
export async function openEngine(parts: EngineParts): Promise<Engine & AsyncDisposable> {
  const closing = new AbortController();
  const drivers = [...parts.drivers.values()].filter((driver): driver is Driver => !('missing' in driver));
  const records: ContainerRecords = new ContainerRecords(parts.database, (after, before) =>
    descriptions.noteChange(after, before),
  );
  const descriptions = new ContainerDescriptions(parts.settings, (id) => records.get(id), parts.log);
  const room: Room = {
    settings: parts.settings,
    images: parts.images,
    networks: parts.networks,
    log: parts.log,
    specifications: parts.specifications,
    records,
    descriptions,
    lost: parts.lost,
    events: new EventLog(parts.database, parts.log),
    together: (work, options) => parts.database.transaction(work, options),
    makingRoom: (work) => parts.database.makingRoom(work),
    flushed: () => parts.database.flushed(),
    presences: new Presences(),
    execs: new Map(),
    closing: closing.signal,
    drivers: () => drivers,
    driver(isolation) {
      const driver = parts.drivers.get(isolation);
      if (driver === undefined || 'missing' in driver)
        throw new TwofoldError(
          'unsupported',
          `This machine can't run ${isolation} containers: ${driver?.missing ?? 'there is no driver'}`,
        );
      return driver;
    },
  };
  const supervisor = new Supervisor(room);
  const watching = drivers.map((driver) => supervisor.watch(driver));
  await reconnectAll(room, supervisor);
  await releaseLayers(room);
  room.networks.onEvent(({ action, network }) => publishNetwork(room, action, network));
  room.images.onEvent(({ action, id, reference }) => {
    room.events.publish({ type: 'image', action, actor: id, attributes: { name: reference } });
    if (action === 'delete') parts.database.afterCommit('tell', () => void releaseLayers(room));
  });
  return {
    containers: { ...createContainers(room, supervisor), ...createContent(room) },
    execs: createExecs(room),
    images: room.images,
    networks: createNetworks(room),
    events: (range, signal) => room.events.stream(range, AbortSignal.any([signal, closing.signal])),
    compute: () => listCompute(room),
    stopCompute: (id, signal) => stopCompute(room, id, signal),
    info: () => parts.info,
    lostThings: () => lostThings(parts.lost),
    emptyLost: () => emptyLost(parts.lost),
    pool: () => drivers.find((driver) => driver.pool !== undefined)?.pool ?? null,
    aids: () => drivers.flatMap((driver) => driver.aids ?? []),
    async [Symbol.asyncDispose]() {
      closing.abort();
      for (const record of room.records.all())
        for (const attachment of room.presences.of(record.id).pending) attachment.giveUp();
      await Promise.all(drivers.map((driver) => driver[Symbol.asyncDispose]()));
      await Promise.all(watching);
      descriptions[Symbol.dispose]();
    },
  };
}
