// Owns reading processes from the kernel: the raw texts of /proc. A process that ends meanwhile is left out.

import { readFileSync } from 'node:fs';
import type { RawProcess } from '../driver.ts';

export function readProcesses(pids: readonly number[]): RawProcess[] {
  return pids.flatMap((pid) => {
    try {
      const file = (name: string) => readFileSync(`/proc/${pid}/${name}`, 'utf8');
      return [{ pid, stat: file('stat'), status: file('status'), cmdline: file('cmdline').split('\0').slice(0, -1) }];
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ESRCH') return [];
      throw error;
    }
  });
}
