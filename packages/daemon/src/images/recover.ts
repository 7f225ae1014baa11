// Owns making the rows of images again from what lies on the disk: their descriptions, and the blobs and layers that
// those name. What there is a row of stays as it is.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../settings.ts';
import { ContentStore, hexOf } from './content-store.ts';
import { ImageDescriptions } from './descriptions.ts';
import { ImageRecords, type Rows, type StoredLayer } from './records.ts';
import { parseReference } from './reference.ts';

/** Tells of each image, by its first name, whether it is there again or why not. */
export function recoverImages(
  settings: Pick<Settings, 'dataRoot' | 'minimumFreeBytes'>,
  rows: Rows,
  tell: (name: string, failure: string | null) => void,
): void {
  const descriptions = new ImageDescriptions(settings.dataRoot);
  const content = new ContentStore(settings.dataRoot, settings.minimumFreeBytes);
  const records = new ImageRecords(rows, descriptions);
  const isWhole = (layer: StoredLayer) =>
    sizeOf(content.path(layer.blob)) === layer.blobBytes &&
    sizeOf(join(settings.dataRoot, 'layers', `${hexOf(layer.diffId)}.erofs`)) === layer.sizeBytes;
  for (const id of descriptions.list()) {
    if (records.get(id) !== undefined) continue;
    try {
      const image = descriptions.read(id)!;
      const name = image.tags[0] ?? id;
      if (!image.layers.every(isWhole)) {
        tell(name, 'a layer of it is missing or damaged');
        continue;
      }
      for (const layer of image.layers) records.addLayer(layer);
      const tags = image.tags.map((tag) => parseReference(tag));
      const free = tags.filter((tag) => records.byReference(tag) === undefined);
      records.add(Buffer.from(image.config, 'base64'), image.parent, free);
      tell(name, null);
    } catch (error) {
      tell(id, error instanceof Error ? error.message : String(error));
    }
  }
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
