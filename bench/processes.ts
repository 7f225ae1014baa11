// Owns reading the host's processes: what each one costs, and which ones are there for a container.

import { readdirSync, readFileSync } from 'node:fs';
import { sandboxesIn } from '@twofold/daemon/host/workers.ts';

/** Of the kernel's times in /proc: USER_HZ, the same on every architecture that we run on. */
const ticksPerSecond = 100;

export interface HostProcess {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** Proportional set size: shared pages count by their share. */
  readonly pssMiB: number;
}

/** Every process of the host that still lives while it is read. */
export function hostProcesses(): HostProcess[] {
  const found: HostProcess[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      const field = (name: string): string => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1] ?? '';
      const pss = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
      if (pss) found.push({ pid, parent: Number(field('PPid')), name: field('Name'), pssMiB: Number(pss[1]) / 1024 });
    } catch (error) {
      // A process that ended between the listing and the reading, or a kernel thread, has nothing to tell.
      if (!['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return found;
}

/** Those of `pids`, and all that descend from them. */
export function withDescendants(pids: ReadonlySet<number>, processes: readonly HostProcess[]): HostProcess[] {
  const parents = new Map(processes.map(({ pid, parent }) => [pid, parent]));
  const descends = (pid: number): boolean => pid > 1 && (pids.has(pid) || descends(parents.get(pid) ?? 0));
  return processes.filter(({ pid }) => descends(pid));
}

/**
 * The processes that are there because of the containers `ids`: their own, and those of the engine that name one on
 * their command line or live in its control group (shims, monitors, supervisors), with all their descendants. Others of
 * the host don't count.
 */
export function belongingTo(ids: readonly string[], processes: readonly HostProcess[]): HostProcess[] {
  const named = processes.filter(({ pid }) => {
    const text = readOf(pid, 'cgroup') + readOf(pid, 'cmdline');
    return ids.some((id) => text.includes(id));
  });
  return withDescendants(new Set([...named, ...besides(named, processes)].map(({ pid }) => pid)), processes);
}

/**
 * Those that are in one of Twofold's sandboxes with one of `some`: a VM that waited has its control groups under
 * another name, and its worker another parent.
 */
export function besides(some: readonly HostProcess[], processes: readonly HostProcess[]): HostProcess[] {
  const sandboxesOf = (pid: number): string[] => sandboxesIn(readOf(pid, 'cgroup'));
  const sandboxes = new Set(some.flatMap(({ pid }) => sandboxesOf(pid)));
  return processes.filter(({ pid }) => sandboxesOf(pid).some((sandbox) => sandboxes.has(sandbox)));
}

/** Seconds of processor time that all threads of the process have used. */
export function processorSeconds(pid: number): number {
  // Behind the name, which is in brackets and may hold anything: state is the 3rd field, utime the 14th, stime the
  // 15th.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** A file of a process in /proc; '' when it has ended meanwhile, and costs nothing. */
export function readOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}

/** Sum of MiB by process name. */
export function memoryByName(processes: readonly HostProcess[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { name, pssMiB } of processes) sums[name] = (sums[name] ?? 0) + pssMiB;
  return sums;
}
