// Owns writing a layer's tar from a list of what is in it: for layers that set-up makes up itself.

import { writeFile } from 'node:fs/promises';
import { tarEnd, tarHeader, tarPadding } from '@twofold/contract/tar-header.ts';
import { buildEpoch } from './oci-archive.ts';

export type LayerEntry =
  | { readonly path: string; readonly directory: number }
  | { readonly path: string; readonly link: string }
  | { readonly path: string; readonly content: string | Buffer; readonly mode?: number };

/** Entries in their order, owned by root, with the build's time. A `directory` is its mode. */
export async function writeLayerTar(target: string, entries: readonly LayerEntry[]): Promise<void> {
  const blocks = entries.flatMap((entry) => {
    if ('directory' in entry)
      return [tarHeader({ path: `${entry.path}/`, kind: 'directory', mode: entry.directory, mtime: buildEpoch })];
    if ('link' in entry)
      return [tarHeader({ path: entry.path, kind: 'symlink', mode: 0o777, link: entry.link, mtime: buildEpoch })];
    const bytes = Buffer.from(entry.content);
    return [
      tarHeader({ path: entry.path, kind: 'file', mode: entry.mode ?? 0o644, size: bytes.length, mtime: buildEpoch }),
      bytes,
      tarPadding(bytes.length),
    ];
  });
  await writeFile(target, Buffer.concat([...blocks, tarEnd()]));
}
