// Owns what only the tests use: a few packages, Pester where PowerShell is, and the docker command, unpacked out of its
// package below build/ so that no Docker daemon comes with it. A docker that is on the path already is used instead.

import { chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import { runCommand } from '@twofold/daemon/host/command.ts';
import { repository } from '../../places.ts';
import { dockerPackages, testPackages, thisDistribution } from '../distribution.ts';
import { fetchPester, isPesterThere, pesterVersion } from '../pester.ts';
import type { Context, Step } from '../step.ts';
import { install, lacking } from './packages.ts';
import { powershellParts } from './powershell.ts';

/** Where `npm test` looks for commands too. */
export const toolDirectory = join(repository, 'build', 'test-tools');

async function dockerVersion(): Promise<string | null> {
  for (const program of ['docker', join(toolDirectory, 'docker')]) {
    const answer = await runCommand('ask docker its version', [program, '--version']).catch(() => null);
    if (answer !== null) return answer.stdout.toString('utf8').trim();
  }
  return null;
}

async function lacksPester({ places }: Context): Promise<boolean> {
  const hasPowerShell = await stat(powershellParts(places.libRoot).program).catch(() => null);
  return hasPowerShell !== null && !(await isPesterThere(toolDirectory));
}

async function fetchDocker(context: Context): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const work = await mkdtemp(join(tmpdir(), 'twofold-docker-'));
  undo.defer(() => rm(work, { recursive: true, force: true }));
  await chmod(work, 0o755); // apt downloads as a user of its own where it can
  for (const name of dockerPackages) {
    context.progress(`fetching the docker command out of ${name}`);
    const came = await runCommand(`download ${name}`, ['apt-get', 'download', '-q', name], {
      cwd: work,
      timeoutMs: 300_000,
      signal: context.signal,
    }).then(
      () => true,
      () => false,
    );
    const file = (await readdir(work)).find((each) => each.endsWith('.deb'));
    if (!came || file === undefined) continue;
    await runCommand(`unpack ${name}`, ['dpkg-deb', '-x', join(work, file), join(work, 'tree')], {
      timeoutMs: 120_000,
      signal: context.signal,
    });
    await mkdir(toolDirectory, { recursive: true });
    await copyFile(join(work, 'tree/usr/bin/docker'), join(toolDirectory, 'docker.new'));
    return rename(join(toolDirectory, 'docker.new'), join(toolDirectory, 'docker'));
  }
  throw new TwofoldError(
    'unsupported',
    `None of ${dockerPackages.join(', ')} could be downloaded: is the package archive reachable?`,
  );
}

export const testTools: Step = {
  name: 'test-tools',
  title: 'Tools of the tests',
  purpose: "The tests compare with the kernel's and Docker's own programs.",
  byHand: `apt-get install ${testPackages()
    .map((each) => each.name)
    .join(' ')}, and any docker CLI`,
  inputs: async () => [JSON.stringify(testPackages()), (await thisDistribution()).id, pesterVersion],
  async check(context) {
    const missing = await lacking(testPackages().map((each) => each.name));
    const docker = await dockerVersion();
    if (docker === null) missing.push('the docker command');
    if (await lacksPester(context)) missing.push(`Pester ${pesterVersion}`);
    return missing.length === 0
      ? { there: true, detail: docker! }
      : { there: false, detail: `missing: ${missing.join(', ')}` };
  },
  async mend(context) {
    await install(
      context,
      testPackages().map((each) => each.name),
    );
    if ((await dockerVersion()) === null) await fetchDocker(context);
    if (await lacksPester(context)) await fetchPester(toolDirectory, context.signal);
  },
};
