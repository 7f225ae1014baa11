// Owns the file system with which PowerShell comes into containers: the host's build, the libraries that it needs, and
// a loader at the place where the engine shows it (engine/containers/powershell.ts). Written by the engine's own writer
// of layers.

import { readFile, readdir, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { tarEnd, tarHeader, tarPadding } from '@twofold/contract/tar-header.ts';
import { writeLayer } from '@twofold/daemon/host/layer-writer.ts';
import { layerReader } from '@twofold/daemon/host/own-program.ts';
import { buildEpoch } from '../base-images/oci-archive.ts';
import { loaderAndLibraries, withLoader } from './loader.ts';

export const hostProgram = 'twofold-powershell';
const loaderInContainers = '/dev/twofold-powershell/ld';
/** For debuggers and profilers, which nobody brings into a container: a fifth of the size. */
const unneeded =
  /^(createdump|libmscordaccore|libmscordbi|libclrgc|libclrgcexp|libcoreclrtraceptprovider|Microsoft\.VisualBasic|System\.Private\.DataContractSerialization)/;

/** Makes `target` out of a published host. It is there whole or not at all. */
export async function writePowerShellImage(host: string, target: string, signal: AbortSignal): Promise<void> {
  const libraries = await loaderAndLibraries();
  await writeLayer(Readable.from(archive(host, libraries), { objectMode: false }), target, {
    program: layerReader,
    form: 'oci',
    signal,
  });
}

async function* archive(host: string, libraries: ReadonlyMap<string, string>): AsyncGenerator<Buffer> {
  const entries = await readdir(host, { recursive: true, withFileTypes: true });
  for (const entry of entries.sort((a, b) => join(a.parentPath, a.name).localeCompare(join(b.parentPath, b.name)))) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(host, path);
    if (entry.isDirectory()) yield tarHeader({ path: `${name}/`, kind: 'directory', mode: 0o755, mtime: buildEpoch });
    if (!entry.isFile() || unneeded.test(basename(path))) continue;
    const content = await readFile(path);
    yield* file(
      name,
      name === hostProgram ? withLoader(content, loaderInContainers) : content,
      (await stat(path)).mode & 0o111,
    );
  }
  for (const [name, path] of libraries) yield* file(name, await readFile(path), 0o111);
  yield tarEnd();
}

function file(path: string, content: Buffer, executable: number): Buffer[] {
  return [
    tarHeader({ path, kind: 'file', mode: executable === 0 ? 0o644 : 0o755, size: content.length, mtime: buildEpoch }),
    content,
    tarPadding(content.length),
  ];
}
