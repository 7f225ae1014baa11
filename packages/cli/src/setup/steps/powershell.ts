// Owns bringing the engine's own PowerShell where the .NET SDK is there: a tree for this machine, and a file system for
// containers. Optional: everything but sessions and `twofold powershell` works without.

import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import { libraryParts, setupSources } from '../../places.ts';
import { leastVersion, newestRuntime, newestSdk } from '../powershell/dotnet.ts';
import { writePowerShellImage } from '../powershell/image.ts';
import { makeInstallation, packageVersion, programPath } from '../powershell/installation.ts';
import { treeOf } from '../stamps.ts';
import type { Step } from '../step.ts';

export const powershellParts = (libRoot: string) => {
  const root = libraryParts(libRoot).powershell;
  return {
    /** For this machine. */
    installation: join(root, 'installation'),
    program: join(root, 'installation', programPath),
    /** For containers. */
    image: join(root, 'image.erofs'),
  };
};

export const powershell: Step = {
  name: 'powershell',
  title: 'PowerShell for this machine and for containers',
  purpose:
    "Without it `twofold powershell` needs an installed pwsh, and sessions in containers get the image's own pwsh or shell.",
  byHand: `install the .NET SDK ${leastVersion} (dotnet-sdk-${leastVersion}.0), with its package feed (NuGet) in reach`,
  optional: true,
  inputs: async () => [
    ...(await treeOf(join(setupSources, 'powershell'))),
    (await newestSdk()) ?? '',
    (await newestRuntime())?.version ?? '',
  ],
  async check({ places }) {
    const parts = powershellParts(places.libRoot);
    const size = await stat(parts.image).then(
      (found) => found.size,
      () => 0,
    );
    const program = await stat(parts.program).then(
      (found) => found.isFile(),
      () => false,
    );
    if (program && size > 0)
      return { there: true, detail: `${packageVersion} (${(size / 2 ** 20).toFixed(0)} MiB for containers)` };
    return {
      there: false,
      detail: (await newestSdk()) === null ? `not installed: the .NET SDK ${leastVersion} is missing` : 'not installed',
    };
  },
  async mend({ places, progress, signal }) {
    const runtime = await newestRuntime();
    if ((await newestSdk()) === null || runtime === null)
      throw new TwofoldError('unsupported', `The .NET SDK ${leastVersion} is not installed.`);
    const root = libraryParts(places.libRoot).powershell;
    const parts = powershellParts(places.libRoot);
    const work = join(root, 'work');
    await rm(work, { recursive: true, force: true });
    await mkdir(work, { recursive: true, mode: 0o755 });
    const made = join(work, 'installation');
    await makeInstallation(made, { runtime, work, progress, signal });
    progress('a file system for containers');
    const cell = join(libraryParts(places.libRoot).programs, 'twofold-cell');
    await writePowerShellImage(made, parts.image, cell, signal);
    await rm(parts.installation, { recursive: true, force: true });
    await rename(made, parts.installation);
    // The work, and what earlier versions had here.
    const kept = [parts.installation, parts.image];
    for (const name of await readdir(root))
      if (!kept.includes(join(root, name))) await rm(join(root, name), { recursive: true });
  },
};
