// Owns what both base images share: the session process csrss, the command cmd, and the environment.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LayerEntry } from './layer-tar.ts';

export const environment: readonly string[] = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'];

/** The two programs as native/Makefile built them. */
export async function sessionPrograms(programs: string): Promise<LayerEntry[]> {
  return await Promise.all(
    ['csrss', 'cmd'].map(async (name) => ({
      path: `usr/bin/${name}`,
      content: await readFile(join(programs, name)),
      mode: 0o755,
    })),
  );
}
