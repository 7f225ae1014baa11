// Owns the two built-in base images as set-up sees them: where their archives lie, what they depend on, building both.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { libraryParts, setupSources } from '../../places.ts';
import { treeOf } from '../stamps.ts';
import { buildNanoserver, readBusybox } from './nanoserver.ts';
import { buildWindowsServerCore } from './windowsservercore.ts';

export type BaseImageName = 'nanoserver' | 'windowsservercore';

/** Where the daemon looks for it (images/base-archives.ts). */
export const baseArchive = (libRoot: string, name: BaseImageName): string =>
  join(libraryParts(libRoot).baseImages, `${name}.tar`);

/** All that the image depends on, but for new versions of the distribution's packages. */
export async function baseImageInputs(libRoot: string, name: BaseImageName): Promise<(string | Uint8Array)[]> {
  const { programs } = libraryParts(libRoot);
  const session = await Promise.all(
    ['csrss', 'cmd'].map((program) => readFile(join(programs, program)).catch(() => 'not built')),
  );
  const system =
    name === 'nanoserver'
      ? await readBusybox().then(
          ({ bytes }) => bytes,
          () => 'not installed',
        )
      : await readFile('/etc/os-release');
  return [...(await treeOf(join(setupSources, 'base-images'))), ...session, system];
}

/** Builds one; the old archive stays until the new one is whole. */
export async function buildBaseImage(
  libRoot: string,
  name: BaseImageName,
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { programs } = libraryParts(libRoot);
  const target = baseArchive(libRoot, name);
  if (name === 'nanoserver') await buildNanoserver(target, programs, signal);
  else await buildWindowsServerCore(target, programs, progress, signal);
}

/** Builds both. */
export async function buildBaseImages(
  libRoot: string,
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const name of ['nanoserver', 'windowsservercore'] as const) {
    progress(name);
    await buildBaseImage(libRoot, name, progress, signal);
  }
}
