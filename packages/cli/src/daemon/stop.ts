// Owns stopping the daemon. Containers run on without it: ending them is purge's.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { TwofoldError } from '@twofold/contract';
import { runCommand } from '@twofold/daemon/host/command.ts';
import type { Settings } from '@twofold/daemon/settings.ts';
import { bySystemd, unitOf } from './start.ts';

const pauseMs = 20;

/** Whether a command line is a daemon's: an installed one, or one that runs from sources. */
export const isDaemon = (commandLine: string): boolean => /daemon\/src\/main\.ts|twofoldd/.test(commandLine);

/** The living daemon of a data root, or null. A stale number that some other process has by now is not taken for it. */
export async function daemonPid(settings: Settings): Promise<number | null> {
  const pid = Number(await readFile(join(settings.dataRoot, 'daemon.pid'), 'utf8').catch(() => ''));
  if (!Number.isInteger(pid) || pid <= 1) return null;
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return isDaemon(command) ? pid : null;
}

/** Ends the daemon of these settings and waits until it is gone; false when there was none. */
export async function stopDaemon(settings: Settings, timeoutMs: number): Promise<boolean> {
  const pid = await daemonPid(settings);
  if (pid === null) return false;
  const unit = unitOf(settings.instance);
  const served =
    bySystemd(settings.instance) &&
    (await runCommand('ask systemd', ['systemctl', 'show', '--property=MainPID', '--value', unit])).stdout
      .toString('utf8')
      .trim() === String(pid);
  if (served) await runCommand('stop the service', ['systemctl', 'stop', unit], { timeoutMs });
  else process.kill(pid, 'SIGTERM');
  const deadline = performance.now() + timeoutMs;
  while ((await daemonPid(settings)) === pid) {
    if (performance.now() > deadline)
      throw new TwofoldError(
        'internal',
        `The daemon (process ${pid}) has not ended within ${timeoutMs / 1000} s. You can kill it (kill -9 ${pid}): this does not harm containers or their logs.`,
      );
    await wait(pauseMs);
  }
  return true;
}
