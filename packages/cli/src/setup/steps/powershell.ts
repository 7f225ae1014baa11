// Owns the building of the PowerShell host (powershell/host) where the .NET SDK is there: a directory for this machine,
// and a file system for containers. Optional: everything but sessions and `twofold powershell` works without.

import { cp, mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import { runCommand } from '@twofold/daemon/host/command.ts';
import { libraryParts, repository, setupSources } from '../../places.ts';
import { hostProgram, writePowerShellImage } from '../powershell/image.ts';
import { treeOf } from '../stamps.ts';
import type { Step } from '../step.ts';

const source = join(repository, 'powershell', 'host');
const built = join(repository, 'build', 'powershell');
const leastVersion = 10;
const buildTimeoutMs = 300_000;
/** No servers that stay behind, no words and no asking home. */
const environment = {
  DOTNET_CLI_TELEMETRY_OPTOUT: '1',
  DOTNET_NOLOGO: '1',
  DOTNET_SKIP_FIRST_TIME_EXPERIENCE: '1',
  MSBUILDDISABLENODEREUSE: '1',
};

export const powershellParts = (libRoot: string) => ({
  /** For this machine. */
  host: join(libraryParts(libRoot).powershell, 'host'),
  program: join(libraryParts(libRoot).powershell, 'host', hostProgram),
  /** For containers. */
  image: join(libraryParts(libRoot).powershell, 'image.erofs'),
});

/** The newest SDK's version that will do; null without. */
async function sdkVersion(): Promise<string | null> {
  const answer = await runCommand('ask for the .NET SDK', ['dotnet', '--list-sdks'], {
    env: { ...process.env, ...environment },
  }).catch(() => null);
  const versions =
    answer?.stdout
      .toString('utf8')
      .split('\n')
      .map((line) => line.split(' ')[0]!)
      .filter((version) => Number(version.split('.')[0]) >= leastVersion) ?? [];
  return versions.at(-1) ?? null;
}

export const powershell: Step = {
  name: 'powershell',
  title: 'PowerShell for this machine and for containers',
  purpose:
    "Without it `twofold powershell` needs an installed pwsh, and sessions in containers get the image's own pwsh or shell.",
  byHand: `install the .NET SDK ${leastVersion} (dotnet-sdk-${leastVersion}.0), with nuget.org in reach`,
  optional: true,
  inputs: async () => [
    ...(await treeOf(source)),
    ...(await treeOf(join(setupSources, 'powershell'))),
    (await sdkVersion()) ?? '',
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
      return { there: true, detail: `built (${(size / 2 ** 20).toFixed(0)} MiB for containers)` };
    return {
      there: false,
      detail: (await sdkVersion()) === null ? `not built: there is no .NET SDK ${leastVersion}` : 'not built',
    };
  },
  async mend({ places, progress, signal }) {
    if ((await sdkVersion()) === null) throw new TwofoldError('unsupported', `There is no .NET SDK ${leastVersion}.`);
    const parts = powershellParts(places.libRoot);
    const published = join(built, 'publish');
    progress('dotnet publish');
    await rm(published, { recursive: true, force: true });
    await runCommand(
      'build the PowerShell host',
      [
        'dotnet',
        'publish',
        join(source, 'twofold-powershell.csproj'),
        '-c',
        'Release',
        '-o',
        published,
        `-p:OutputRoot=${built}`,
        '-p:UseSharedCompilation=false',
        '-v',
        'quiet',
      ],
      { timeoutMs: buildTimeoutMs, signal, env: { ...process.env, ...environment } },
    );
    await mkdir(libraryParts(places.libRoot).powershell, { recursive: true, mode: 0o755 });
    progress('a file system for containers');
    await writePowerShellImage(published, parts.image, signal);
    await rm(`${parts.host}.new`, { recursive: true, force: true });
    await cp(published, `${parts.host}.new`, { recursive: true });
    await rm(parts.host, { recursive: true, force: true });
    await rename(`${parts.host}.new`, parts.host);
  },
};
