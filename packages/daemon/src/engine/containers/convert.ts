// Owns turning a stopped container from one isolation into the other.
//
//     writable layer ─private diff▶ sealed layer and its list of changes (written, synced) ─▶ ONE row: isolation,
//     sealed layers ─▶ old writable layer discarded
//
// Before the row: the container is what it was, and a sealed layer that belongs to nobody is swept. After it: the
// container is the new one, and an old writable layer that is left is swept, before anything could take it for a
// present one. docs/conversion.md.

import { mkdir } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { isTwofoldError, type ContainerId } from '@twofold/contract';
import type { SealedLayer } from '../../images/images.ts';
import type { ConversionPlan, RequestedIsolation } from '../engine.ts';
import { releaseLayers } from '../layer-use.ts';
import { sealedDirectory, writableDirectory } from '../places.ts';
import { publishContainer, type Room } from '../room.ts';
import { mergeChanges, parseChanges } from './changes.ts';
import { cleanUp } from './clean-up.ts';
import { insist, planConversion, type Target } from './conversion-plan.ts';
import { openFilesInTurn, outputOf } from './files.ts';
import { machineFor } from './plan.ts';
import type { StoredContainer } from './records.ts';
import { readSealedChanges, settleSealed, sweepSealed } from './sealed.ts';

/** A container is given at most so many sealed layers; then they become one. */
export const mostSealedLayers = 8;

/** See Containers.planConversion. */
export function planFor(room: Room, record: StoredContainer, to: RequestedIsolation): ConversionPlan {
  return planConversion(record, targetOf(room, record, to));
}

/** See Containers.convert. The caller holds the container's queue. */
export async function convertContainer(
  room: Room,
  id: ContainerId,
  requested: RequestedIsolation,
  signal: AbortSignal,
): Promise<ConversionPlan> {
  const record = room.records.need(id);
  const target = targetOf(room, record, requested);
  const to = target.isolation;
  const plan = planConversion(record, target);
  insist(plan, record);
  const asked = { requestedIsolation: requested, hostConfig: { ...record.hostConfig, Isolation: requested } };
  if (record.isolation === to) {
    if (record.requestedIsolation !== requested) room.records.change(id, asked);
    return plan;
  }
  await cleanUp(room, id);
  const writable = writableDirectory(room.settings, id);
  const old = room.driver(record.isolation);
  // Left of a conversion that was cut short; it must not be taken for the new writable layer.
  await room.driver(to).discardWritable(writable);
  await sweepSealed(sealedDirectory(room.settings, id), record.sealedLayers);
  const added = (await old.hasWritable(writable)) ? await seal(room, record, signal) : null;
  const sealedLayers =
    added === null ? record.sealedLayers : await merged(room, id, [...record.sealedLayers, added], signal);
  room.together(
    () => {
      const { machine, accelerator } = target;
      room.records.change(id, { ...asked, isolation: to, sealedLayers, machine, accelerator });
      publishContainer(room, record, 'convert', { from: record.isolation, to });
    },
    // On the disk before what the old row needs is deleted.
    { durable: true },
  );
  // The conversion is done. What can't be taken away now is taken away at the next start of the daemon.
  try {
    await old.discardWritable(writable);
    if ((await sweepSealed(sealedDirectory(room.settings, id), sealedLayers)).length > 0) await releaseLayers(room);
  } catch (error) {
    room.log.warn({ container: id, err: error }, 'What a conversion left behind could not be removed.');
  }
  return plan;
}

/**
 * Puts what conversions that were cut short left into lost+found: sealed layers of no row, and writable layers of the
 * isolation that a container does not have. A database that is older than the files knows nothing of a conversion, and
 * what was written after it must not be deleted for that. Before any container is started after the daemon's start.
 */
export async function sweepConversions(room: Room): Promise<void> {
  await Promise.all(
    room.records.all().map(async (record) => {
      try {
        await sweepSealed(sealedDirectory(room.settings, record.id), record.sealedLayers, room.lost.take);
        for (const driver of room.drivers())
          if (driver.isolation !== record.isolation)
            await driver.discardWritable(writableDirectory(room.settings, record.id), room.lost.take);
      } catch (error) {
        room.log.warn({ container: record.id, err: error }, 'What a conversion left behind could not be removed.');
      }
    }),
  );
}

/** Null where nothing was written. */
async function seal(room: Room, record: StoredContainer, signal: AbortSignal): Promise<SealedLayer | null> {
  const directory = sealedDirectory(room.settings, record.id);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await using run = await openFilesInTurn(room, record.id, { verb: 'diff', form: 'private' }, signal);
  run.stdin.end();
  const diff = Readable.from(outputOf(run), { objectMode: false });
  try {
    const layer = await room.images.seal(diff, directory, signal);
    if (layer === null) return null;
    // Told on the host, where every layer below can be mounted: another VM for it would take longer than the rest.
    await settleSealed(
      layer,
      parseChanges(await room.images.sealedChanges(record.image, [...record.sealedLayers, layer], signal)),
    );
    return layer;
  } finally {
    diff.destroy();
  }
}

/** Beyond the limit all become one. The old ones stay until no row names them. */
async function merged(
  room: Room,
  id: ContainerId,
  layers: readonly SealedLayer[],
  signal: AbortSignal,
): Promise<readonly SealedLayer[]> {
  if (layers.length <= mostSealedLayers) return layers;
  const changes = mergeChanges(await readSealedChanges(layers));
  const layer = await room.images.mergeSealed(
    room.records.need(id).image,
    layers,
    sealedDirectory(room.settings, id),
    signal,
  );
  if (layer === null) return [];
  await settleSealed(layer, changes);
  return [layer];
}

function targetOf(room: Room, record: StoredContainer, requested: RequestedIsolation): Target {
  const to = requested === 'default' ? room.settings.defaultIsolation : requested;
  const machine = to === 'hyperv' ? machineFor(room.settings, record.hostConfig) : null;
  try {
    const { accelerator } = room.driver(to);
    room.specifications.check({ id: record.id, isolation: to, config: record.config, hostConfig: record.hostConfig });
    return { isolation: to, requested, machine, accelerator, obstacle: null };
  } catch (error) {
    if (!isTwofoldError(error)) throw error;
    return { isolation: to, requested, machine, accelerator: '', obstacle: error.message };
  }
}
