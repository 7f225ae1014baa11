// Owns telling a VM's worker (QEMU) apart by what its memory is: read from the kernel's list of its mappings.

import { readFileSync } from 'node:fs';

export const workerParts = [
  'guest pages shared with other VMs',
  'guest pages dirtied by the guest',
  "QEMU's heap",
  'translation buffer',
  'rest of QEMU',
] as const;
export type WorkerMemory = Record<(typeof workerParts)[number], number>;

/** MiB (PSS) of the worker `pid`. */
export function workerMemory(pid: number): WorkerMemory {
  return tellApart(readFileSync(`/proc/${pid}/smaps`, 'utf8'));
}

/**
 * Pure: the parts of a text of /proc/PID/smaps. The template's memfd is mapped privately: what the VM has written is
 * anonymous there, and its own; what its parent had written before it was forked is anonymous and shared. Anonymous
 * memory that is run is translated code; other anonymous memory is the heap: malloc's, its arenas and big pieces, and
 * threads' stacks, which are tiny.
 */
export function tellApart(smaps: string): WorkerMemory {
  const memory = Object.fromEntries(workerParts.map((part) => [part, 0])) as WorkerMemory;
  for (const [head = '', ...lines] of mappings(smaps)) {
    const mebibytes = (field: string): number =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(lines.join('\n'))?.[1] ?? 0) / 1024;
    const [, permissions = '', , , , name = ''] = head.split(/\s+/);
    const pss = mebibytes('Pss');
    if (name.startsWith('/memfd:twofold-template')) {
      const own = Math.min(mebibytes('Anonymous'), mebibytes('Private_Clean') + mebibytes('Private_Dirty'));
      memory['guest pages dirtied by the guest'] += own;
      memory['guest pages shared with other VMs'] += pss - own;
    } else if (name.startsWith('/')) memory['rest of QEMU'] += pss;
    else memory[permissions.includes('x') && name === '' ? 'translation buffer' : "QEMU's heap"] += pss;
  }
  return memory;
}

/** Each with its line of addresses first. */
function mappings(smaps: string): string[][] {
  const found: string[][] = [];
  for (const line of smaps.split('\n')) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) found.push([line]);
    else found.at(-1)?.push(line);
  }
  return found;
}
