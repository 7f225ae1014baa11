// Owns how a container comes to be in a VM, in requests to its supervisor: disks and mounts (PREPARE), the launch plan
// (START), and the disks' giving back. For containers and for the rehearsal of one. Keeps nothing.

import { readFile } from 'node:fs/promises';
import { FrameType, Tag, TlvWriter, type OciSpec } from '@twofold/contract';
import { runQmp } from '../../host/qmp.ts';
import type { SupervisorConnection } from '../../host/supervisor-connection.ts';
import type { ContainerSpec, ProcessRef, ResolvedUser, StartOptions } from '../driver.ts';
import { writeProcess } from '../process-part.ts';
import { target, userOf } from '../supervised.ts';
import { prepareDisks, takeBackLayers, type Exchange } from './disks.ts';
import { writeContainer } from './launch-plan.ts';
import { guestPlaces } from './places.ts';

/** native/agent/prepare.c. */
const prepareFlags = { inheritRoot: 1, takeSpare: 2 } as const;
const keepSpare = 1;
/** native/agent/configure.c. */
const dropSpare = 2;

/**
 * Gives the VM the container's disks and has them mounted. A new writable disk is copied from `emptyDisk`; null: the
 * VM's spare one is the container's.
 */
export async function prepareContainer(
  connection: SupervisorConnection,
  spec: ContainerSpec,
  emptyDisk: string | null,
  signal: AbortSignal,
): Promise<{ user: ResolvedUser; exchange: Exchange }> {
  const exchange = await prepareDisks(spec.rootfs, emptyDisk, signal);
  await runQmp(connection, 'give the VM its disks', exchange.files, exchange.commands, signal);
  const payload = new TlvWriter()
    .string(Tag.CONTAINER, spec.id)
    .string(Tag.SOURCE, 'layers')
    .string(Tag.DISK, 'scratch')
    .string(Tag.USER, spec.user);
  payload.number(
    Tag.FLAGS,
    (spec.rootfs.inheritRoot === true ? prepareFlags.inheritRoot : 0) |
      (emptyDisk === null ? prepareFlags.takeSpare : 0),
  );
  for (const { offset, length } of exchange.partitions)
    payload.list(Tag.PARTITION, (list) => list.number(Tag.OFFSET, offset).number(Tag.LENGTH, length));
  exchange.partitions.forEach((_, index) => payload.string(Tag.LAYER, String(index + 1)));
  payload.strings(Tag.PATH, spec.directories ?? []);
  for (const file of spec.files) {
    const data = await readFile(file.source);
    payload.list(Tag.FILE, (list) =>
      list.string(Tag.PATH, file.path).bytes(Tag.DATA, data).number(Tag.MODE, file.mode),
    );
  }
  if (spec.log !== null)
    payload
      .string(Tag.LOG_PATH, spec.log.path)
      .number(Tag.LOG_MAX_BYTES, spec.log.maxBytes)
      .number(Tag.LOG_MAX_FILES, spec.log.maxFiles)
      .number(Tag.LOG_MINIMUM_FREE, spec.log.minimumFreeBytes);
  return { user: userOf(await connection.request(FrameType.PREPARE, payload, signal)), exchange };
}

/**
 * Starts the container's process. `filter` is its compiled seccomp profile. Resolves with its process id in the guest.
 */
export async function startProcess(
  connection: SupervisorConnection,
  container: ProcessRef,
  spec: OciSpec,
  options: StartOptions,
  filter: Buffer | null,
  signal: AbortSignal,
): Promise<number> {
  const plan = target(container).flag(Tag.STDIN, options.openStdin).flag(Tag.STDIN_ONCE, options.stdinOnce);
  writeProcess(plan, spec.process, filter);
  writeContainer(plan, spec, guestPlaces(container.container).cgroup);
  return (await connection.request(FrameType.START, plan, signal)).number(Tag.PID) ?? 0;
}

/** Undoes the preparing of a container that had the VM's spare disk: the VM has that again, empty, and no layers. */
export async function takeBackContainer(
  connection: SupervisorConnection,
  container: ProcessRef,
  exchange: Exchange,
  signal: AbortSignal,
): Promise<void> {
  await connection.request(FrameType.DELETE, target(container).number(Tag.FLAGS, keepSpare), signal);
  await runQmp(connection, "take the VM's layers back", [], takeBackLayers(exchange), signal);
}

/** The guest lets go of its spare disk, so that it can be exchanged. */
export async function dropSpareDisk(connection: SupervisorConnection, signal: AbortSignal): Promise<void> {
  await connection.request(FrameType.CONFIGURE, new TlvWriter().number(Tag.FLAGS, dropSpare), signal);
}
