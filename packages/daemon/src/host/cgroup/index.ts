// Owns the one way to the kernel's control groups: which version the machine has, and making, limiting, freezing,
// killing and removing groups. v1.ts and v2.ts know the files; nobody else does. A hybrid machine (v2 mounted beside v1
// controllers) counts as v1 whose v2 tree only tracks processes.

import { readFileSync } from 'node:fs';
import { TwofoldError } from '@twofold/contract';
import { openV1 } from './v1.ts';
import { openV2 } from './v2.ts';

export interface CgroupLimits {
  /** Null takes a limit away. */
  readonly memoryBytes?: number | null;
  readonly cpus?: number | null;
  readonly pids?: number | null;
}

/** Paths are below the root of every tree: `/twofold/<id>`. */
export interface Cgroups {
  readonly version: '1' | '2';
  /** True where v2 is mounted beside v1: crun 1.8 refuses to run unless it is out of sight. */
  readonly hybrid: boolean;
  /**
   * Makes a group (and those above it) that tracks processes; `limited`: in every controller that a limit needs, too.
   * Idempotent. Returns its directories: a process enters by its id in each one's cgroup.procs.
   */
  create(path: string, kind: 'tracking' | 'limited'): string[];
  limit(path: string, limits: CgroupLimits): void;
  /**
   * Gives the group a sixteenth of the weight that its siblings have at the processors, or as much. Made `limited`.
   * cpu.idle would be less, and starve it (measured).
   */
  background(path: string, on: boolean): void;
  /** Resolves once every process of the group has stopped. */
  freeze(path: string, signal: AbortSignal): Promise<void>;
  thaw(path: string): Promise<void>;
  isFrozen(path: string): boolean;
  /** Process ids in it and below it; empty when it isn't there. */
  processes(path: string): number[];
  /** Kills what is in it and below it until nothing is left; frozen ones too. */
  kill(path: string, signal: AbortSignal): Promise<void>;
  /** Removes it and all below it in every tree. Idempotent; waits for dying processes. */
  remove(path: string, signal: AbortSignal): Promise<void>;
  /** The file with an `oom_kill N` line, for a supervisor to read. */
  oomFile(path: string): string;
  oomKills(path: string): number;
  /** A directory in which all processes of the group are listed. */
  directory(path: string): string;
  /**
   * Its directories in every tree that an OCI runtime has made it in: a process that joins the group enters them all.
   */
  entrances(path: string): string[];
}

/** A mounted tree of control groups. */
export interface CgroupMount {
  readonly directory: string;
  /** Controllers of a v1 tree (`memory`, `name=systemd`); empty for v2. */
  readonly controllers: readonly string[];
}

/** Finds out what the machine has. Throws `unsupported` where no control groups are mounted. */
export function openCgroups(mountinfo: string = readFileSync('/proc/self/mountinfo', 'utf8')): Cgroups {
  const { v1, v2 } = readMounts(mountinfo);
  if (v1.some(({ controllers }) => controllers.includes('memory'))) return openV1(v1, v2);
  if (v2 !== null) return openV2(v2.directory);
  throw new TwofoldError('unsupported', 'No control groups are mounted at /sys/fs/cgroup.');
}

/** Pure: the trees in a text of /proc/self/mountinfo. */
export function readMounts(mountinfo: string): { v1: CgroupMount[]; v2: CgroupMount | null } {
  const v1: CgroupMount[] = [];
  let v2: CgroupMount | null = null;
  for (const line of mountinfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const directory = left
      .split(' ')[4]
      ?.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
    const [type, , options = ''] = right.split(' ');
    if (directory === undefined || !directory.startsWith('/sys/fs/cgroup')) continue;
    if (type === 'cgroup2') v2 ??= { directory, controllers: [] };
    if (type === 'cgroup')
      v1.push({
        directory,
        controllers: options.split(',').filter((word) => word !== 'rw' && word !== 'ro' && word !== 'xattr'),
      });
  }
  return { v1, v2 };
}
