// Owns the recipe of the base image windowsservercore: a minimal system of this machine's own distribution (mmdebstrap,
// from the archives that its apt knows), and csrss and cmd above it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import { runCommand } from '@twofold/daemon/host/command.ts';
import { writeLayerTar, type LayerEntry } from './layer-tar.ts';
import { buildEpoch, writeOciArchive } from './oci-archive.ts';
import { environment, sessionPrograms } from './session.ts';

/** Above what is essential, and apt: ps and top, ip. */
const packages = ['procps', 'iproute2'];
/** What nobody reads in a container; licences stay. */
const leftOut = [
  'path-exclude=/usr/share/man/*',
  'path-exclude=/usr/share/doc/*',
  'path-include=/usr/share/doc/*/copyright',
  'path-exclude=/usr/share/locale/*',
  'path-exclude=/usr/share/info/*',
  'path-exclude=/usr/share/lintian/*',
];
const keyrings: Readonly<Record<string, string>> = {
  Debian: '/usr/share/keyrings/debian-archive-keyring.gpg',
  Ubuntu: '/usr/share/keyrings/ubuntu-archive-keyring.gpg',
};
const buildTimeoutMs = 900_000;

interface Archive {
  readonly uri: string;
  readonly suite: string;
  readonly origin: string;
}

/** The distribution's own main archives, as this machine's apt knows them; other vendors' are left out. */
export function parseArchives(indexTargets: string): Archive[] {
  const lines = [...new Set(indexTargets.split('\n'))].map((line) => line.split('|'));
  return lines
    .flatMap(([uri, suite, component, origin]) =>
      uri && suite && component === 'main' && origin !== undefined && origin in keyrings
        ? [{ uri, suite, origin }]
        : [],
    )
    .filter(({ suite }) => !suite.includes('backports') && !suite.includes('proposed'));
}

async function archives(signal: AbortSignal): Promise<Archive[]> {
  const { stdout } = await runCommand(
    'ask apt for its archives',
    ['apt-get', 'indextargets', '--format', '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)', 'Created-By: Packages'],
    { signal },
  );
  const found = parseArchives(stdout.toString('utf8'));
  if (found.length === 0)
    throw new TwofoldError(
      'unsupported',
      'apt has no main archive of Debian or Ubuntu (or no lists yet: run apt-get update), so the base image windowsservercore cannot be built.',
    );
  return found;
}

/** Builds `target`; takes about half a minute, most of it dpkg's. */
export async function buildWindowsServerCore(
  target: string,
  programs: string,
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const work = await mkdtemp(join(tmpdir(), 'twofold-base-'));
  undo.defer(() => rm(work, { recursive: true, force: true }));
  const sources = await archives(signal);
  const base = sources.find(({ suite }) => !suite.includes('-')) ?? sources[0]!;
  const system = join(work, 'system.tar');
  const words: [string, ...string[]] = [
    'mmdebstrap',
    '--mode=root',
    '--variant=apt',
    '--format=tar',
    `--include=${packages.join(',')}`,
    '--aptopt=Acquire::Languages "none"',
    ...leftOut.map((option) => `--dpkgopt=${option}`),
    // They are copies of this machine's.
    '--customize-hook=rm -f "$1/etc/hostname" "$1/etc/resolv.conf"',
    base.suite,
    system,
    '-',
  ];
  const list = sources
    .map(({ uri, suite, origin }) => `deb [signed-by=${keyrings[origin]}] ${uri} ${suite} main\n`)
    .join('');
  await runCommand("build a minimal system of the distribution's packages", words, {
    input: list,
    signal,
    timeoutMs: buildTimeoutMs,
    env: { ...proxies(), SOURCE_DATE_EPOCH: String(buildEpoch), TMPDIR: work },
    onOutput: (chunk) =>
      chunk
        .toString('utf8')
        .split('\n')
        .filter((line) => /^I: (?!using|finding)/.test(line))
        .forEach((line) => progress(line.slice(3))),
  });
  const session = join(work, 'session.tar');
  const empty: LayerEntry[] = ['etc/hostname', 'etc/hosts', 'etc/resolv.conf'].map((path) => ({ path, content: '' }));
  await writeLayerTar(session, [
    { path: 'etc', directory: 0o755 },
    ...empty,
    { path: 'usr', directory: 0o755 },
    { path: 'usr/bin', directory: 0o755 },
    ...(await sessionPrograms(programs)),
  ]);
  progress('writing the image');
  await writeOciArchive(
    {
      name: 'windowsservercore',
      title: 'windowsservercore',
      description: `A Linux stand-in named for the container walkthrough of Windows Server 2016: a minimal ${base.origin} (${base.suite}), csrss and cmd. It contains nothing of Windows.`,
      layers: [
        { tar: system, createdBy: `mmdebstrap --variant=apt --include=${packages.join(',')} ${base.suite}` },
        { tar: session, createdBy: 'csrss and cmd' },
      ],
      environment,
    },
    target,
    signal,
  );
}

/** A machine behind a proxy reaches its archives by the environment's. */
function proxies(): Record<string, string> {
  return Object.fromEntries(
    ['http_proxy', 'https_proxy', 'no_proxy'].flatMap((name) =>
      process.env[name] === undefined ? [] : [[name, process.env[name]]],
    ),
  );
}
