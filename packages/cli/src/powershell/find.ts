// Owns which PowerShell this machine uses: a pwsh of its own that the module can live in, else the engine's own.

import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import { runCommand } from '@twofold/daemon/host/command.ts';
import { powershellParts } from '../setup/steps/powershell.ts';

const leastVersion = [7, 4] as const;
const askTimeoutMs = 30_000;

/** The program's path. Throws where there is none that will do. */
export async function findPowerShell(libRoot: string, path: string, signal: AbortSignal): Promise<string> {
  const own = await firstProgram(path.split(':').filter((directory) => directory !== ''));
  const version = own === null ? null : await versionOf(own, signal);
  if (own !== null && version !== null && isNewEnough(version)) return own;
  const ours = powershellParts(libRoot).program;
  if (await isProgram(ours)) return ours;
  const found = own === null ? '' : ` (${own} is ${version ?? 'of an unknown version'})`;
  throw new TwofoldError(
    'unsupported',
    `PowerShell ${leastVersion.join('.')} or newer is not installed${found}: install pwsh, or install the .NET SDK 10 and run twofold setup again.`,
  );
}

async function firstProgram(directories: readonly string[]): Promise<string | null> {
  for (const directory of directories) if (await isProgram(join(directory, 'pwsh'))) return join(directory, 'pwsh');
  return null;
}

const isProgram = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

async function versionOf(program: string, signal: AbortSignal): Promise<string | null> {
  const answer = await runCommand('ask PowerShell its version', [program, '--version'], {
    timeoutMs: askTimeoutMs,
    signal,
  }).catch(() => null);
  return /^PowerShell (\S+)/m.exec(answer?.stdout.toString('utf8') ?? '')?.[1] ?? null;
}

/** Of `7.6.9`, or `7.5.0-preview.1`. */
function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > leastVersion[0] || (major === leastVersion[0] && minor >= leastVersion[1]);
}
