// Owns whether a container that ended is started again, and when. Pure.

import type { HostConfig } from '@twofold/contract';

const firstDelayMs = 100;
export const longestDelayMs = 60_000;
/** A run at least this long makes the next delay the first one again. */
export const longRunMs = 10_000;

export interface Ended {
  readonly exitCode: number;
  /** Restarts by policy so far. */
  readonly restartCount: number;
  readonly stoppedByUser: boolean;
  /** Restarts in a row none of which ran for `longRunMs`. */
  readonly quickRestarts: number;
}

/** The delay until the restart, or null for none. */
export function restartDelayMs(policy: HostConfig['RestartPolicy'], ended: Ended): number | null {
  if (ended.stoppedByUser || !wantsRestart(policy, ended)) return null;
  return quickDelayMs(ended.quickRestarts);
}

/** The delay after so many restarts in a row that did not last. */
export function quickDelayMs(quickRestarts: number): number {
  return Math.min(firstDelayMs * 2 ** Math.min(quickRestarts, 20), longestDelayMs);
}

/**
 * Whether a container that is not running is started with the daemon, as Docker does: `always` even when a person
 * stopped it.
 */
export function startsWithDaemon(policy: HostConfig['RestartPolicy'], ended: Omit<Ended, 'quickRestarts'>): boolean {
  if (policy?.Name === 'always') return true;
  return !ended.stoppedByUser && wantsRestart(policy, ended);
}

function wantsRestart(policy: HostConfig['RestartPolicy'], ended: Pick<Ended, 'exitCode' | 'restartCount'>): boolean {
  switch (policy?.Name) {
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      return (
        ended.exitCode !== 0 &&
        ((policy.MaximumRetryCount ?? 0) === 0 || ended.restartCount < policy.MaximumRetryCount!)
      );
    case 'no':
    case '':
    case undefined:
      return false;
  }
}
