// Owns running scripts of PowerShell with the module in tests.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { powershellParts } from '../../packages/cli/src/setup/steps/powershell.ts';
import { command, type CommandResult } from './command.ts';
import { libRoot } from './library.ts';

export const moduleDirectory = resolve(import.meta.dirname, '../../powershell/Containers');

const places = [
  process.env['TWOFOLD_POWERSHELL'],
  powershellParts(libRoot).program,
  ...(process.env['PATH'] ?? '').split(':').map((directory) => `${directory}/pwsh`),
];

/** The program: what the tester names, what set-up installed where there is a .NET SDK, or the machine's own pwsh. */
export const powershell = places.find((path) => path !== undefined && existsSync(path)) ?? null;

/** For a test's `skip`: the reason where there is none. */
export const noPowerShell: string | false =
  powershell !== null ? false : 'PowerShell is not installed (there is no .NET SDK), and there is no pwsh';

/** Nobody is asked or told anything. */
export const quietly = { POWERSHELL_TELEMETRY_OPTOUT: '1', POWERSHELL_UPDATECHECK: 'Off' };

export interface ScriptOptions {
  readonly timeoutMs?: number;
  /** As a user who has no rights. */
  readonly asNobody?: boolean;
}

/** Runs a script in a session that has the module. Never throws for an exit code. */
export function runScript(
  script: string,
  env: NodeJS.ProcessEnv,
  { timeoutMs = 120_000, asNobody = false }: ScriptOptions = {},
): Promise<CommandResult> {
  const text = `$ErrorView = 'NormalView'\nImport-Module '${moduleDirectory}/Containers.psd1'\n${script}\n`;
  const words = [powershell!, '-NoProfile', '-NonInteractive', '-Command', text];
  const [file, ...rest] = asNobody ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', ...words] : words;
  return command(file!, rest, { env: { ...env, ...quietly, NO_COLOR: '1', COLUMNS: '160' }, timeoutMs });
}

/**
 * What a script gives as JSON (its output goes through ConvertTo-Json; what it says to the host comes before). Throws
 * with its standard error when it ends with a failure.
 */
export async function runForJson<T>(script: string, env: NodeJS.ProcessEnv, options: ScriptOptions = {}): Promise<T> {
  const result = await runScript(`& {\n${script}\n} | ConvertTo-Json -Depth 4 -Compress`, env, options);
  try {
    return JSON.parse(result.stdout.trimEnd().split('\n').at(-1)!) as T;
  } catch (cause) {
    throw new Error(`The script gave no JSON (exit code ${result.code}):\n${result.stdout}\n${result.stderr}`, {
      cause,
    });
  }
}
