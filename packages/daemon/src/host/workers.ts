// Owns finding workers of utility VMs among the running system's processes: those called `vmwp` in the control groups
// beside a supervisor's. No table is asked. Parents don't tell: a worker that is a fork is another worker's child. A
// process that only has the name is in no such group.

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
  const [workers, supervisors] = await Promise.all([lookAtAll(lookForWorker), lookAtAll(lookForSupervisor)]);
  const found = workers.flatMap(({ groups, ...worker }) => {
    const its = supervisors.find((supervisor) => supervisor.groups.some((group) => groups.includes(group)));
    return its === undefined ? [] : [{ ...worker, sandboxDirectory: its.sandboxDirectory }];
  });
  const names = await userNames(found.map((worker) => worker.uid));
  return found.map(({ uid, ...worker }) => ({ ...worker, user: names.get(uid)! }));
}

async function lookForWorker(pid: string) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? '';
  return field('Name') === 'vmwp'
    ? { pid: Number(pid), name: 'vmwp', uid: Number(field('Uid')), groups: await sandboxGroups(pid) }
    : null;
}

async function lookForSupervisor(pid: string) {
  const [program = '', sandboxDirectory] = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  return basename(program) === 'twofold-supervisor' && sandboxDirectory
    ? { sandboxDirectory, groups: await sandboxGroups(pid) }
    : null;
}

const sandboxGroups = async (pid: string): Promise<string[]> =>
  sandboxesIn(await readFile(`/proc/${pid}/cgroup`, 'utf8'));

/**
 * Pure: what two processes of one sandbox have in common in their /proc/PID/cgroup: of `<sandbox>/worker` and
 * `<sandbox>/supervisor` each controller's `<sandbox>`.
 */
export function sandboxesIn(cgroup: string): string[] {
  return [...cgroup.matchAll(/^[^:]*:[^:]*:(.*)\/(?:supervisor|worker)$/gm)].map(([, path]) => path!);
}

async function lookAtAll<T>(look: (pid: string) => Promise<T | null>): Promise<T[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  // One that ends while it is looked at is gone.
  return (await Promise.all(pids.map((pid) => look(pid).catch(() => null)))).filter((one) => one !== null);
}
