// Owns which PowerShell a session in a container gets: the image's own, the engine's (one file system for all
// containers, shown in this one when it is first asked for), or none. Does not own the session: that is an exec like
// any other.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TwofoldError, isTwofoldError, type ContainerId } from '@twofold/contract';
import type { PowerShellServer } from '../engine.ts';
import { judge } from '../lifecycle.ts';
import type { Room } from '../room.ts';
import { statPath } from './files.ts';
import { containerSpec } from './plan.ts';

/** Where packages and archives of PowerShell put it. */
const ownPrograms = ['/usr/bin/pwsh', '/usr/local/bin/pwsh', '/opt/microsoft/powershell/7/pwsh'];
/**
 * No longer: the loader's path in the program was put in the place of a longer one
 * (packages/cli/src/setup/powershell/loader.ts).
 */
const place = '/dev/twofold-powershell';

/** See Containers.preparePowerShell. */
export async function preparePowerShell(room: Room, id: ContainerId, signal: AbortSignal): Promise<PowerShellServer> {
  const record = room.records.need(id);
  const verdict = judge('exec', record.life, record);
  if (verdict.is === 'refused') throw new TwofoldError(verdict.code, verdict.message);
  const own = await findOwn(room, id, signal);
  if (own !== null) return { server: 'image', command: [own, '-NoLogo', '-NoProfile', '-s'], environment: [] };
  const path = join(room.settings.libRoot, 'powershell', 'image.erofs');
  const built = await stat(path).catch(() => null);
  if (built === null) return { server: 'none', command: ['/bin/sh'], environment: [] };
  // A newer one is another layer: containers that run keep theirs.
  const name = `powershell${Math.floor(built.mtimeMs).toString(36)}`;
  await room.driver(record.isolation).showLayer(containerSpec(room, record), { path, name }, place, signal);
  const libraryPath =
    (record.config.Env ?? [])
      .findLast((entry) => entry.startsWith('LD_LIBRARY_PATH='))
      ?.slice('LD_LIBRARY_PATH='.length) ?? '';
  return {
    server: 'twofold',
    command: [`${place}/twofold-powershell`, '-s'],
    // The host gives the image's back to what it starts (powershell/host/Surroundings.cs).
    environment: [
      `LD_LIBRARY_PATH=${place}`,
      `TWOFOLD_IMAGE_LD_LIBRARY_PATH=${libraryPath}`,
      'DOTNET_EnableDiagnostics=0',
    ],
  };
}

async function findOwn(room: Room, id: ContainerId, signal: AbortSignal): Promise<string | null> {
  for (const path of ownPrograms) {
    try {
      await statPath(room, id, path, signal);
      return path;
    } catch (error) {
      if (!isTwofoldError(error, 'path-not-found')) throw error;
    }
  }
  return null;
}
