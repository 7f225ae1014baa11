// Owns finding workers of utility VMs among the running system's processes: children of a supervisor, called `vmwp`. No table is asked.

import { readFile, readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { userNames } from './worker-users.ts';

export interface RunningWorker {
  readonly pid: number;
  readonly name: string;
  readonly user: string;
  /** The argument of its supervisor: the sandbox's directory. */
  readonly sandboxDirectory: string;
}

/** All workers of all daemons. Those that end meanwhile are left out. */
export async function findWorkers(): Promise<RunningWorker[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = (await Promise.all(pids.map(look))).filter((worker) => worker !== null);
  const names = await userNames(found.map((worker) => worker.uid));
  return found.map(({ uid, ...worker }) => ({ ...worker, user: names.get(uid)! }));
}

async function look(pid: string): Promise<(Omit<RunningWorker, 'user'> & { uid: number }) | null> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? '';
    if (field('Name') !== 'vmwp') return null;
    const [program = '', sandboxDirectory] = (await readFile(`/proc/${field('PPid')}/cmdline`, 'utf8')).split('\0');
    if (basename(program) !== 'twofold-supervisor' || !sandboxDirectory) return null;
    return { pid: Number(pid), name: field('Name'), uid: Number(field('Uid')), sandboxDirectory };
  } catch {
    return null;
  }
}
