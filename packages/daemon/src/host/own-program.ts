// Owns where this program's own files are. It runs from the sources, or as set-up has bundled and installed it: then
// all of it lies in one directory, which is named after what is in it (packages/cli/src/setup/app/).

import { basename, join } from 'node:path';

export const version = '0.1.0';

/** The directory of the installed program; null when the sources run. */
export const installedDirectory: string | null = import.meta.filename.endsWith('.ts') ? null : import.meta.dirname;

/** Tells two builds apart: `docker version` shows it as the git commit. */
export const buildName = installedDirectory === null ? 'sources' : basename(installedDirectory);

/** The files that are run as scripts, as a bundle has them. */
export const bundled = { cli: 'twofold.mjs', daemon: 'twofoldd.mjs', layerReader: 'layer-reader.mjs' } as const;

/** Where the files of this program lie, all of them. */
export const ownCode: readonly string[] =
  installedDirectory === null
    ? ['packages', 'node_modules', 'package.json'].map((name) => join(import.meta.dirname, '../../../..', name))
    : [installedDirectory];

/** The program that reads layers (images/erofs/child.ts). */
export const layerReader =
  installedDirectory === null
    ? join(import.meta.dirname, '../images/erofs/child.ts')
    : join(installedDirectory, bundled.layerReader);
