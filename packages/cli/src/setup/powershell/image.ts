// Owns the file system with which PowerShell comes into containers: the engine's own installation, the libraries that
// it needs, and a loader at the place where the engine shows it (engine/containers/powershell.ts). Written by the
// engine's own writer of layers.

import { readFile, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { tarEnd, tarHeader, tarPadding } from '@twofold/contract/tar-header.ts';
import { writeLayer } from '@twofold/daemon/host/layer-writer.ts';
import { layerReader } from '@twofold/daemon/host/own-program.ts';
import { buildEpoch } from '../base-images/oci-archive.ts';
import { programPath } from './installation.ts';
import { loaderAndLibraries, withDirectory, withLoader } from './loader.ts';

const place = '/dev/twofold-pwsh';
/** Where PowerShell finds its caches and a user's modules (XDG_CACHE_HOME, XDG_DATA_HOME): it makes none itself. */
const homes = ['cache/', 'cache/powershell/', 'data/', 'data/powershell/', 'data/powershell/Modules/'];
/**
 * What a session in a container has no use for: debuggers and profilers, a prompt's editing of lines, and the modules
 * that install others. Each module less is one less to be looked through for a command.
 */
const unneeded = [
  /\/(createdump|libmscordaccore|libmscordbi|libclrgc|libclrgcexp|libcoreclrtraceptprovider)[^/]*$/,
  /\/Modules\/(PackageManagement|PowerShellGet|Microsoft\.PowerShell\.PSResourceGet|PSReadLine)(\/|$)/,
  /\/(LICENSE|ThirdPartyNotices)\.txt$/,
];

/** Makes `target` out of an installation. It is there whole or not at all. */
export async function writePowerShellImage(
  installation: string,
  target: string,
  cell: string,
  signal: AbortSignal,
): Promise<void> {
  const libraries = await loaderAndLibraries();
  await writeLayer(Readable.from(archive(installation, libraries), { objectMode: false }), target, {
    cell,
    program: layerReader,
    form: 'oci',
    signal,
  });
}

async function* archive(installation: string, libraries: ReadonlyMap<string, string>): AsyncGenerator<Buffer> {
  const entries = await readdir(installation, { recursive: true, withFileTypes: true });
  for (const entry of entries.sort((a, b) => join(a.parentPath, a.name).localeCompare(join(b.parentPath, b.name)))) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(installation, path);
    if (unneeded.some((pattern) => pattern.test(`/${name}`))) continue;
    if (entry.isDirectory()) yield tarHeader({ path: `${name}/`, kind: 'directory', mode: 0o755, mtime: buildEpoch });
    if (!entry.isFile()) continue;
    const content = await readFile(path);
    if (name === programPath) yield* file(name, withLoader(content, `${place}/ld`), 0o755);
    else if (name.endsWith('.runtimeconfig.json')) yield* file(name, configured(content), 0o644);
    else yield* file(name, content, 0o644);
  }
  for (const path of homes) yield tarHeader({ path, kind: 'directory', mode: 0o755, mtime: buildEpoch });
  for (const [name, path] of libraries) {
    const content = await readFile(path);
    yield* file(name, name === 'ld' ? withDirectory(content, place) : content, 0o755);
  }
  yield tarEnd();
}

/** No data of cultures (ICU) is brought into containers, and a session is too short for measuring its own code. */
function configured(content: Buffer): Buffer {
  const config = JSON.parse(content.toString('utf8')) as { runtimeOptions: { configProperties?: object } };
  const { runtimeOptions } = config;
  runtimeOptions.configProperties = {
    ...runtimeOptions.configProperties,
    'System.Globalization.Invariant': true,
    'System.Runtime.TieredPGO': false,
  };
  return Buffer.from(JSON.stringify(config));
}

function file(path: string, content: Buffer, mode: number): Buffer[] {
  return [
    tarHeader({ path, kind: 'file', mode, size: content.length, mtime: buildEpoch }),
    content,
    tarPadding(content.length),
  ];
}
