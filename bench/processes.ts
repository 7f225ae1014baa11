// Owns reading the host's processes for memory measurements: what each one costs, and which ones are there for a container.

import { readdirSync, readFileSync } from 'node:fs';

export interface HostProcess {
  readonly pid: number;
  readonly name: string;
  /** Proportional set size in KiB: shared pages count by their share. */
  readonly pssKiB: number;
}

/** Every process of the host that still lives while it is read. */
export function hostProcesses(): HostProcess[] {
  const found: HostProcess[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    try {
      const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
      const pss = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
      if (pss) found.push({ pid, name, pssKiB: Number(pss[1]) });
    } catch (error) {
      // A process that ended between the listing and the reading, or a kernel thread, has nothing to tell.
      if (!['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return found;
}

/**
 * The processes that are there because of the containers `ids`: their own, and those of the engine that name one on their command line or
 * live in its control group (shims, monitors, supervisors, workers), with all their descendants. Others of the host don't count.
 */
export function belongingTo(ids: readonly string[], processes: readonly HostProcess[]): HostProcess[] {
  // A worker's command line has the GUID, the first 32 digits.
  const marks = ids.map((id) => id.slice(0, 32));
  const named = (pid: number): boolean => {
    const text = readQuietly(`/proc/${pid}/cgroup`) + readQuietly(`/proc/${pid}/cmdline`);
    return marks.some((mark) => text.includes(mark));
  };
  const own = new Set(processes.filter(({ pid }) => named(pid)).map(({ pid }) => pid));
  const parentOf = (pid: number): number => Number(/^PPid:\t(\d+)/m.exec(readQuietly(`/proc/${pid}/status`))?.[1] ?? 0);
  const descends = (pid: number): boolean => pid > 1 && (own.has(pid) || descends(parentOf(pid)));
  return processes.filter(({ pid }) => descends(pid));
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // It ended while we looked, and costs nothing.
  }
}

/** Sum of PSS in MiB by process name. */
export function memoryByName(processes: readonly HostProcess[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const p of processes) sums[p.name] = (sums[p.name] ?? 0) + p.pssKiB / 1024;
  return sums;
}
