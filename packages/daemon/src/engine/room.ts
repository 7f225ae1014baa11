// Owns the list of what the engine's jobs (engine/containers/*, execs.ts, supervisor.ts) share. Made once, in open.ts;
// nothing is decided here.

import type { ContainerId, ExecCreateRequest, ExecId, Isolation, OciProcess, OciSpec } from '@twofold/contract';
import type { Logger } from 'pino';
import type { Driver, ResolvedUser } from '../drivers/driver.ts';
import type { Images } from '../images/images.ts';
import type { Network, Networks } from '../networks/networks.ts';
import type { Settings } from '../settings.ts';
import type { LostAndFound } from '../state/lost-and-found.ts';
import type { ContainerDescriptions } from './containers/description.ts';
import type { ContainerRecords } from './containers/records.ts';
import type { Presences } from './containers/presence.ts';
import type { EventLog } from './events.ts';
import type { ContainerRecord, ExecRecord } from './engine.ts';

/** Specifications of what runs: containers/spec/ on real kernels, something smaller in tests. */
export interface Specifications {
  /** Throws for what can't be kept, before anything is made. */
  check(subject: Pick<ContainerRecord, 'id' | 'isolation' | 'config' | 'hostConfig'>): void;
  container(record: ContainerRecord, user: ResolvedUser): OciSpec;
  exec(record: ContainerRecord, request: ExecCreateRequest, user: ResolvedUser): OciProcess;
}

export interface Room {
  readonly settings: Settings;
  readonly images: Images;
  readonly networks: Networks;
  readonly log: Logger;
  readonly records: ContainerRecords;
  readonly descriptions: Pick<ContainerDescriptions, 'note'>;
  /** Where things go that no row knows. */
  readonly lost: Pick<LostAndFound, 'take'>;
  readonly events: EventLog;
  readonly specifications: Specifications;
  /** What lives in memory only, for each container: its queue, its waiters, its pending attachments. */
  readonly presences: Presences;
  readonly execs: Map<ExecId, ExecRecord>;
  /**
   * One unit of work: all rows that `work` writes and the events that it publishes, or nothing. Memory follows the
   * commit, then listeners are told. A unit changes a container once, since it reads it as it was before. Synchronous.
   */
  together<T>(work: () => T, options?: { durable?: boolean }): T;
  /** What `work` writes makes room on the disk, and may use what is kept for that. Synchronous. */
  makingRoom<T>(work: () => T): T;
  /** All rows that are written are on the disk when it resolves. Nobody else waits for it. */
  flushed(): Promise<void>;
  /** Throws `unsupported` with the reason when this machine can't do that isolation. */
  driver(isolation: Isolation): Driver;
  /** Those that this machine has. */
  drivers(): Driver[];
  /** Fires when the daemon goes down: what waits stops waiting, containers go on. */
  readonly closing: AbortSignal;
}

/** Publishes an event of a network with Docker's attributes; `container`: that has come onto it or left it. */
export function publishNetwork(
  room: Room,
  action: 'create' | 'destroy' | 'connect' | 'disconnect',
  network: Network,
  container?: ContainerId,
): void {
  room.events.publish({
    type: 'network',
    action,
    actor: network.id,
    attributes: { ...(container === undefined ? {} : { container }), name: network.name, type: network.driver },
  });
}

type Attributes = Readonly<Record<string, string>>;

/** Publishes an event of a container with Docker's attributes, in the unit of work that changes its row. */
export function publishContainer(room: Room, record: ContainerRecord, action: string, extra: Attributes = {}): void {
  room.events.publish(eventOf(record, action, extra));
}

/** Tells what has happened to a container and changes no row of its. */
export function noteContainer(room: Room, id: ContainerId, action: string, extra: Attributes = {}): void {
  const record = room.records.get(id);
  if (record !== undefined) room.events.note(eventOf(record, action, extra));
}

function eventOf(record: ContainerRecord, action: string, extra: Attributes) {
  const attributes = { image: record.imageName, name: record.name, ...record.config.Labels, ...extra };
  return { type: 'container', action, actor: record.id, attributes } as const;
}
