// Owns what the demo sees of the host by itself, from /proc: the daemon is not asked, so that nothing of this is on its
// word.

import { readdirSync, readFileSync } from 'node:fs';

export interface SeenProcess {
  readonly pid: number;
  readonly name: string;
}

/**
 * Processes of the host that carry `mark` as their environment's `TWOFOLD_DEMO`: a container's, if the host can see
 * them at all.
 */
export function processesMarked(mark: string): SeenProcess[] {
  const found: SeenProcess[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const environment = readQuietly(`/proc/${entry}/environ`);
    if (environment.split('\0').includes(`TWOFOLD_DEMO=${mark}`))
      found.push({ pid: Number(entry), name: readQuietly(`/proc/${entry}/comm`).trim() });
  }
  return found;
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // A process that ended while we looked.
  }
}
