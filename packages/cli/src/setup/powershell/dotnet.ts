// Owns calling the machine's own `dotnet`, and what it has: an SDK that will do, and the runtime that goes with it.
// Installs nothing.

import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { runCommand } from '@twofold/daemon/host/command.ts';

export const leastVersion = 10;
const framework = 'Microsoft.NETCore.App';
/** No servers that stay behind, no words and no asking home. */
const environment = {
  DOTNET_CLI_TELEMETRY_OPTOUT: '1',
  DOTNET_NOLOGO: '1',
  DOTNET_SKIP_FIRST_TIME_EXPERIENCE: '1',
  MSBUILDDISABLENODEREUSE: '1',
};

export interface Runtime {
  readonly version: string;
  /** Where .NET is installed: has `host` and `shared`. */
  readonly root: string;
}

export async function runDotnet(
  what: string,
  words: readonly string[],
  options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
): Promise<string> {
  const answer = await runCommand(what, ['dotnet', ...words], { ...options, env: { ...process.env, ...environment } });
  return answer.stdout.toString('utf8');
}

/** The newest SDK's version that will do; null without. */
export async function newestSdk(): Promise<string | null> {
  const text = await runDotnet('ask for the .NET SDK', ['--list-sdks']).catch(() => '');
  return sdks(text).at(-1) ?? null;
}

/** Pure: of `dotnet --list-sdks`, in its order, oldest first. */
export const sdks = (text: string): string[] =>
  [...text.matchAll(/^(\d+)\.\S+/gm)].filter((match) => Number(match[1]) >= leastVersion).map((match) => match[0]);

/** The newest runtime of the version that PowerShell is made for; null without. */
export async function newestRuntime(): Promise<Runtime | null> {
  const text = await runDotnet('ask for the .NET runtime', ['--list-runtimes']).catch(() => '');
  const found = runtimes(text).at(-1);
  return found === undefined
    ? null
    : { version: found.version, root: dirname(dirname(await realpath(found.directory))) };
}

/** Pure: of `dotnet --list-runtimes`, in its order, oldest first. */
export const runtimes = (text: string): { version: string; directory: string }[] =>
  [...text.matchAll(/^(\S+) (\d+)(\.\S+) \[(.+)\]$/gm)]
    .filter((match) => match[1] === framework && Number(match[2]) === leastVersion)
    .map((match) => ({ version: `${match[2]}${match[3]}`, directory: match[4]! }));
