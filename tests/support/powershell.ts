// Owns running scripts of PowerShell with the module in tests: by the host of this house, and by a real pwsh where
// there is one.

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { command, type CommandResult } from './command.ts';
import { libRoot } from './library.ts';

export const moduleDirectory = resolve(import.meta.dirname, '../../powershell/Containers');

export interface PowerShell {
  readonly name: 'twofold-powershell' | 'pwsh';
  /** The program's path. */
  readonly path: string;
}

const places = [process.env['TWOFOLD_POWERSHELL'], join(libRoot, 'powershell', 'host', 'twofold-powershell')];
const hostPath = places.find((path) => path !== undefined && existsSync(path));

/** The host that set-up builds where there is a .NET SDK. */
export const host: PowerShell | null = hostPath === undefined ? null : { name: 'twofold-powershell', path: hostPath };

/** Every PowerShell of this machine. */
export const powershells: readonly PowerShell[] = [
  ...(host === null ? [] : [host]),
  ...(process.env['PATH'] ?? '')
    .split(':')
    .map((directory) => join(directory, 'pwsh'))
    .filter((path) => existsSync(path))
    .slice(0, 1)
    .map((path) => ({ name: 'pwsh' as const, path })),
];

/** For a test's `skip`: the reason where there is none. */
export const noPowerShell: string | false =
  powershells.length > 0 ? false : 'the PowerShell host is not built (there is no .NET SDK), and there is no pwsh';

export interface ScriptOptions {
  readonly timeoutMs?: number;
  /** As a user who has no rights. */
  readonly asNobody?: boolean;
}

/** Runs a script in a session that has the module. Never throws for an exit code. */
export function runScript(
  powershell: PowerShell,
  script: string,
  env: NodeJS.ProcessEnv,
  { timeoutMs = 120_000, asNobody = false }: ScriptOptions = {},
): Promise<CommandResult> {
  const text = `$ErrorView = 'NormalView'\nImport-Module '${moduleDirectory}/Containers.psd1'\n${script}\n`;
  const words = [powershell.path, '-NoProfile', '-NonInteractive', '-Command', text];
  const [file, ...rest] = asNobody ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', ...words] : words;
  return command(file!, rest, { env: { ...env, NO_COLOR: '1', COLUMNS: '160' }, timeoutMs });
}

/**
 * What a script gives as JSON (its output goes through ConvertTo-Json; what it says to the host comes before). Throws
 * with its standard error when it ends with a failure.
 */
export async function runForJson<T>(
  powershell: PowerShell,
  script: string,
  env: NodeJS.ProcessEnv,
  options: ScriptOptions = {},
): Promise<T> {
  const result = await runScript(powershell, `& {\n${script}\n} | ConvertTo-Json -Depth 4 -Compress`, env, options);
  try {
    return JSON.parse(result.stdout.trimEnd().split('\n').at(-1)!) as T;
  } catch (cause) {
    throw new Error(`The script gave no JSON (exit code ${result.code}):\n${result.stdout}\n${result.stderr}`, {
      cause,
    });
  }
}
