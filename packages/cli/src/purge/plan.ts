// Owns what a purge is about to remove, and of whom, before anything is removed.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { TwofoldError } from '@twofold/contract';
import { knownInstances, othersThan } from '@twofold/daemon/instances.ts';
import type { Settings } from '@twofold/daemon/settings.ts';
import { ownShare } from '@twofold/daemon/sweep.ts';
import { ask } from '../daemon/ask.ts';
import { nameOf } from '../daemon/words.ts';
import { daemonPid, isDaemon } from '../daemon/stop.ts';
import { runningPrograms } from '../setup/app/place.ts';
import { commandFile } from '../setup/steps/command.ts';

const askTimeoutMs = 5_000;

export interface PurgePlan {
  readonly sentences: readonly string[];
  /** What set-up built stays: somebody asked for it, or other daemons need it. */
  readonly keepsSetup: boolean;
}

/**
 * Throws `conflict` for an instance of which there is nothing on this machine; and where what would be removed is
 * somebody else's.
 */
export async function planPurge(settings: Settings, keepSetup: boolean): Promise<PurgePlan> {
  const { instance, dataRoot, runRoot, libRoot } = settings;
  const known = knownInstances();
  if (instance !== null && !known.has(instance.name) && !existsSync(dataRoot) && !existsSync(runRoot))
    throw new TwofoldError(
      'conflict',
      `The instance ${instance.name} does not exist on this machine${known.size === 0 ? '' : ` (known: ${[...known].join(', ')})`}.`,
    );
  await ownShare(settings);
  const users = keepSetup ? [] : await usersOf(settings);
  return {
    keepsSetup: keepSetup || users.length > 0,
    sentences: [
      `Purging ${nameOf(settings)} removes:`,
      `  its containers, images, switches and data${await countsOf(settings)}: ${dataRoot}, ${runRoot}`,
      ...(keepSetup ? [] : sharedSentences(libRoot, users)),
    ],
  };
}

function sharedSentences(libRoot: string, users: readonly string[]): string[] {
  const shared = `${libRoot}, the command ${commandFile}, the PowerShell module, the systemd units and the group twofold`;
  return users.length === 0
    ? ['and what set-up built:', `  ${shared}`]
    : [`What set-up built stays (${shared}), since it is shared with:`, ...users.map((user) => `  ${user}`)];
}

/** Other daemons; without one that is written down, processes that are a daemon or run from the library. */
async function usersOf(settings: Settings): Promise<string[]> {
  const others = othersThan(settings).map(({ instance, dataRoot }) =>
    instance === null ? `the daemon at ${dataRoot}` : `instance ${instance} (${dataRoot})`,
  );
  if (others.length > 0) return others;
  const own = [process.pid, await daemonPid(settings)];
  const running = (await runningPrograms()).filter(
    ({ pid, line }) => !own.includes(pid) && (isDaemon(line) || line.includes(`${settings.libRoot}/`)),
  );
  const foreign = await Promise.all(running.map(async ({ pid }) => !(await isInGroup(pid, settings.cgroupParent))));
  return running.flatMap(({ pid, name }, index) => (foreign[index]! ? [`process ${pid} (${name})`] : []));
}

/** Supervisors, workers and containers are in their daemon's control groups. */
async function isInGroup(pid: number, parent: string): Promise<boolean> {
  const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => null);
  return groups === null || groups.split('\n').some((line) => line.includes(`:${parent}/`));
}

async function countsOf({ socket, dataRoot }: Settings): Promise<string> {
  const answer = await ask(socket, 'GET', '/info', askTimeoutMs);
  if (answer?.status !== 200) return '';
  const info = JSON.parse(answer.body) as Record<'Containers' | 'ContainersRunning' | 'Images', number> & {
    DockerRootDir: string;
  };
  if (info.DockerRootDir !== dataRoot) return '';
  return ` (${info.Containers} containers, of which ${info.ContainersRunning} are running, and ${info.Images} images)`;
}
