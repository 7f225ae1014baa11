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
const serverWords = ['-NoLogo', '-NoProfile', '-s'];
/** As the program in it was told (packages/cli/src/setup/powershell/image.ts). */
const place = '/dev/twofold-pwsh';
/**
 * Nothing is written into the container, nobody is asked or told anything. What was compiled ahead is not compiled
 * better before it has been quiet for half a minute (in hexadecimal milliseconds): under emulation that took a third of
 * a session's start.
 */
const environment = [
  `XDG_CACHE_HOME=${place}/cache`,
  `XDG_DATA_HOME=${place}/data`,
  'POWERSHELL_TELEMETRY_OPTOUT=1',
  'POWERSHELL_UPDATECHECK=Off',
  'POWERSHELL_DIAGNOSTICS_OPTOUT=1',
  'DOTNET_EnableDiagnostics=0',
  'DOTNET_TC_CallCountingDelayMs=7530',
];

/** See Containers.preparePowerShell. */
export async function preparePowerShell(room: Room, id: ContainerId, signal: AbortSignal): Promise<PowerShellServer> {
  const record = room.records.need(id);
  const verdict = judge('exec', record.life, record);
  if (verdict.is === 'refused') throw new TwofoldError(verdict.code, verdict.message);
  const own = await findOwn(room, id, signal);
  if (own !== null) return { server: 'image', command: [own, ...serverWords], environment: [] };
  const path = join(room.settings.libRoot, 'powershell', 'image.erofs');
  const built = await stat(path).catch(() => null);
  if (built === null) return { server: 'none', command: ['/bin/sh'], environment: [] };
  // A newer one is another layer: containers that run keep theirs.
  const name = `powershell${Math.floor(built.mtimeMs).toString(36)}`;
  await room.driver(record.isolation).showLayer(containerSpec(room, record), { path, name }, place, signal);
  return { server: 'twofold', command: [`${place}/pwsh/pwsh`, ...serverWords], environment };
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
