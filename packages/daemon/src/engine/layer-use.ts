// Owns which layers are in use, so that a driver lets go of the others: a layer that is mounted keeps its room on the
// disk after its file is gone.

import { isTwofoldError } from '@twofold/contract';
import type { Room } from './room.ts';

/**
 * After an image, a container's sealed layers or those of a daemon before are gone. Layers of every image stay mounted:
 * the next start is faster.
 */
export async function releaseLayers(room: Room): Promise<void> {
  const inUse = new Set(
    room.images
      .list()
      .flatMap(({ id }) => room.images.layers(id))
      .map(({ name }) => name),
  );
  for (const record of room.records.all()) {
    for (const { name } of record.sealedLayers) inUse.add(name);
    try {
      for (const { name } of room.images.layers(record.image)) inUse.add(name);
    } catch (error) {
      if (!isTwofoldError(error, 'image-not-found')) throw error; // removed by force; the container can't be started any more
    }
  }
  for (const driver of room.drivers()) {
    await driver
      .releaseLayers(inUse)
      .catch((error: unknown) =>
        room.log.warn({ isolation: driver.isolation, err: error }, 'Unused layers could not be released.'),
      );
  }
}
