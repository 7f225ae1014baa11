// Owns how a container comes to be in a VM, in requests to its supervisor: disks and mounts (PREPARE), the launch plan (START), and the disks'
// giving back. For containers and for the rehearsal of one. Keeps nothing.

import { readFile } from 'node:fs/promises';
import { FrameType, Tag, TlvWriter, type OciSpec } from '@twofold/contract';
import { runQmp } from '../../host/qmp.ts';
import type { SupervisorConnection } from '../../host/supervisor-connection.ts';
import type { ContainerSpec, ProcessRef, ResolvedUser, StartOptions } from '../driver.ts';
import { target, userOf } from '../supervised.ts';
import { prepareDisks, takeBackCommands, type Exchange } from './disks.ts';
import { writeContainer, writeProcess } from './launch-plan.ts';
import { guestPlaces } from './places.ts';

const inheritRoot = 1;

/** Gives the VM the container's disks and has them mounted. `scratchTemplate` is what an empty writable disk is copied from. */
export async function prepareContainer(connection: SupervisorConnection, spec: ContainerSpec, scratchTemplate: string, signal: AbortSignal): Promise<{ user: ResolvedUser; exchange: Exchange }> {
  const exchange = await prepareDisks(spec.rootfs, scratchTemplate, signal);
  await runQmp(connection, 'give the VM its disks', exchange.files, exchange.commands, signal);
  const payload = new TlvWriter().string(Tag.CONTAINER, spec.id).string(Tag.SOURCE, 'layers').string(Tag.DISK, 'scratch').string(Tag.USER, spec.user);
  if (spec.rootfs.inheritRoot === true) payload.number(Tag.FLAGS, inheritRoot);
  for (const { offset, length } of exchange.partitions) payload.list(Tag.PARTITION, (list) => list.number(Tag.OFFSET, offset).number(Tag.LENGTH, length));
  exchange.partitions.forEach((_, index) => payload.string(Tag.LAYER, String(index + 1)));
  for (const file of spec.files) {
    const data = await readFile(file.source);
    payload.list(Tag.FILE, (list) => list.string(Tag.PATH, file.path).bytes(Tag.DATA, data).number(Tag.MODE, file.mode));
  }
  if (spec.log !== null) payload.string(Tag.LOG_PATH, spec.log.path).number(Tag.LOG_MAX_BYTES, spec.log.maxBytes).number(Tag.LOG_MAX_FILES, spec.log.maxFiles);
  return { user: userOf(await connection.request(FrameType.PREPARE, payload, signal)), exchange };
}

/** Starts the container's process. `filter` is its compiled seccomp profile. Resolves with its process id in the guest. */
export async function startProcess(connection: SupervisorConnection, container: ProcessRef, spec: OciSpec, options: StartOptions, filter: Buffer | null, signal: AbortSignal): Promise<number> {
  const plan = target(container).flag(Tag.STDIN, options.openStdin).flag(Tag.STDIN_ONCE, options.stdinOnce);
  writeProcess(plan, spec.process, filter);
  writeContainer(plan, spec, guestPlaces(container.container).cgroup);
  return (await connection.request(FrameType.START, plan, signal)).number(Tag.PID) ?? 0;
}

/** After DELETE: the VM has its empty disks again, and lets go of the files. */
export async function takeBackDisks(connection: SupervisorConnection, exchange: Exchange, signal: AbortSignal): Promise<void> {
  await runQmp(connection, 'take the VM\'s disks back', [], takeBackCommands(exchange), signal);
}
