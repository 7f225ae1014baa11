// Owns the distribution's packages: which lack, and apt's work of bringing them. Which ones is distribution.ts's.

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import { CommandFailure, runCommand } from '@twofold/daemon/host/command.ts';
import { packagesFor, thisDistribution } from '../distribution.ts';
import type { Context, Step } from '../step.ts';

/** Names of the packages that set-up itself has installed: what a purge tells to remove. */
export const installedListFile = (libRoot: string): string => join(libRoot, 'installed-packages.json');

async function noteInstalled(libRoot: string, names: readonly string[]): Promise<void> {
  const before: unknown = await readFile(installedListFile(libRoot), 'utf8').then(JSON.parse, () => []);
  await mkdir(libRoot, { recursive: true, mode: 0o755 });
  await writeFile(
    installedListFile(libRoot),
    JSON.stringify([...new Set([...(Array.isArray(before) ? before.map(String) : []), ...names])]),
  );
}

const environment = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' };
/** Another apt may be at work (unattended-upgrades after a boot is). */
const lockOptions = ['-o', 'DPkg::Lock::Timeout=180', '-o', 'Acquire::Retries=2'];
const installTimeoutMs = 1_500_000;

/** Names of `wanted` that are not fully installed. */
export async function lacking(wanted: readonly string[]): Promise<string[]> {
  const { stdout } = await runCommand(
    'ask dpkg what is installed',
    ['dpkg-query', '-W', '-f', '${db:Status-Abbrev}${Package}\\n', ...wanted],
    { accept: [0, 1] },
  );
  const installed = new Set(
    stdout
      .toString('utf8')
      .split('\n')
      .filter((line) => line.startsWith('ii '))
      .map((line) => line.slice(3).trim()),
  );
  return wanted.filter((name) => !installed.has(name));
}

/** One line per package that apt fetches or sets up; the rest is noise. */
function aptProgress(context: Context): (chunk: Buffer) => void {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines)
      if (/^(Get:\d+|Setting up|Unpacking) /.test(line)) context.progress(line.replace(/ \.\.\.$/, ''));
  };
}

async function apt(context: Context, doing: string, words: readonly string[]): Promise<void> {
  await runCommand(doing, ['apt-get', ...lockOptions, ...words], {
    env: environment,
    timeoutMs: installTimeoutMs,
    signal: context.signal,
    onOutput: aptProgress(context),
  });
}

/** What apt's complaint means, naming the package. */
function explainApt(error: unknown, names: readonly string[]): TwofoldError {
  const text = error instanceof Error && error.cause instanceof CommandFailure ? error.cause.stderr : '';
  const unknown = [
    ...text.matchAll(/Unable to locate package (\S+)|Package '?([^\s']+)'? has no installation candidate/g),
  ].map((match) => match[1] ?? match[2]!);
  if (unknown.length > 0)
    return new TwofoldError(
      'unsupported',
      `The package sources do not have ${unknown.join(', ')}. Enable the main (Ubuntu: also universe) archive and run set-up again.`,
      { cause: error },
    );
  const unreachable = [...text.matchAll(/Failed to fetch \S*\/([^/\s_]+)_\S*/g)].map((match) => match[1]!);
  if (unreachable.length > 0 || /Could not resolve|Could not connect|Temporary failure resolving/.test(text)) {
    const which = unreachable.length > 0 ? [...new Set(unreachable)].join(', ') : names.join(', ');
    return new TwofoldError(
      'internal',
      `Could not download ${which}: is the network up and the package archive reachable?`,
      { cause: error },
    );
  }
  return new TwofoldError('internal', `Could not install ${names.join(', ')}.`, { cause: error });
}

async function haveLists(): Promise<boolean> {
  return (await readdir('/var/lib/apt/lists').catch(() => [])).some((name) => name.includes('_Packages'));
}

export const packages: Step = {
  name: 'packages',
  title: 'Packages of the distribution',
  purpose: 'Without them neither isolation runs.',
  byHand: `apt-get install --no-install-recommends ${packagesFor()
    .map((each) => each.name)
    .join(' ')}`,
  inputs: async () => [JSON.stringify(packagesFor()), (await thisDistribution()).id],
  async check() {
    const distribution = await thisDistribution();
    if (!distribution.apt)
      return {
        there: false,
        detail: `${distribution.name} has no apt; Twofold supports Debian 12, 13 and Ubuntu 24.04`,
      };
    const missing = await lacking(packagesFor().map((each) => each.name));
    return missing.length === 0
      ? { there: true, detail: `all ${packagesFor().length} installed (${distribution.name})` }
      : { there: false, detail: `not installed: ${missing.join(', ')}` };
  },
  mend: (context) =>
    install(
      context,
      packagesFor().map((each) => each.name),
    ),
};

/** Installs what lacks of `wanted`. */
export async function install(context: Context, wanted: readonly string[]): Promise<void> {
  const distribution = await thisDistribution();
  if (!distribution.apt)
    throw new TwofoldError(
      'unsupported',
      `${distribution.name} is not based on Debian: install the equivalents of ${wanted.join(', ')} by hand.`,
    );
  const missing = await lacking(wanted);
  if (missing.length === 0) return;
  context.progress(`missing: ${missing.join(', ')}`);
  // An installation that was broken off leaves packages unpacked only; apt refuses to go on before dpkg has finished
  // them.
  await runCommand('finish an interrupted installation', ['dpkg', '--configure', '-a'], {
    env: environment,
    timeoutMs: installTimeoutMs,
    signal: context.signal,
    onOutput: aptProgress(context),
  });
  await noteInstalled(context.places.libRoot, missing);
  const attempt = () =>
    apt(context, `install ${missing.join(', ')}`, ['install', '-y', '--no-install-recommends', ...missing]);
  try {
    if (await haveLists()) return await attempt();
  } catch {
    context.progress('the lists of packages may be out of date: reading them again');
  }
  try {
    await apt(context, 'read the lists of packages', ['update']);
    await attempt();
  } catch (error) {
    throw explainApt(error, missing);
  }
}
