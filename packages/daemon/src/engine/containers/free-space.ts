// Owns the refusal of what takes more of the disk than it gives back, while too little is left: the rest is for the
// writes that make room again.

import { statfsSync } from 'node:fs';
import { TwofoldError } from '@twofold/contract';
import type { Settings } from '../../settings.ts';

export function checkFreeSpace({ dataRoot, minimumFreeBytes }: Pick<Settings, 'dataRoot' | 'minimumFreeBytes'>): void {
  const { bavail, bsize } = statfsSync(dataRoot);
  const free = bavail * bsize;
  if (free >= minimumFreeBytes) return;
  const mebibytes = (bytes: number) => `${Math.floor(bytes / (1 << 20))} MiB`;
  throw new TwofoldError(
    'no-space',
    `Only ${mebibytes(free)} are free in ${dataRoot}, and containers are created and started only with at least ${mebibytes(minimumFreeBytes)}: make room, or lower the limit with --minimum-free.`,
  );
}
