// Owns what a container may use of memory, processors and processes, from Docker's words to OCI's. Pure.
// Does not write cgroups (the runtime and the agent do).

import { TwofoldError } from '@twofold/contract';
import type { HostConfig, OciResources } from '@twofold/contract';

const minimumMemoryBytes = 6 << 20;
const period = 100_000; // microseconds; what --cpus is counted in

// Docker's device rules: every node may be made, few may be opened.
const deviceRules: NonNullable<OciResources['devices']> = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...[
    [1, 3],
    [1, 5],
    [1, 7],
    [1, 8],
    [1, 9],
    [5, 0],
    [5, 1],
    [5, 2],
  ].map(([major, minor]) => ({ allow: true, type: 'c', major: major!, minor: minor!, access: 'rwm' })),
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

/**
 * Limits as OCI has them. Throws `invalid-argument` in Docker's words. `cpus` are the machine's (for hyperv: the VM's).
 */
export function containerResources(host: HostConfig, machine: { cpus: number; countsSwap: boolean }): OciResources {
  return {
    devices: host.Privileged === true ? [{ allow: true, access: 'rwm' }] : deviceRules,
    ...memory(host, machine.countsSwap),
    ...cpu(host, machine.cpus),
    ...pids(host),
  };
}

function memory(host: HostConfig, countsSwap: boolean): Pick<OciResources, 'memory'> {
  const limit = natural(host.Memory, 'Memory') ?? 0;
  const reservation = natural(host.MemoryReservation, 'MemoryReservation') ?? 0;
  const swap = host.MemorySwap ?? 0;
  if (limit > 0 && limit < minimumMemoryBytes) throw refused('Minimum memory limit allowed is 6MB');
  if (reservation > 0 && reservation < minimumMemoryBytes) throw refused('Minimum memory reservation allowed is 6MB');
  if (limit > 0 && reservation > limit)
    throw refused('Minimum memory limit can not be less than memory reservation limit, see usage');
  if (!Number.isSafeInteger(swap) || swap < -1)
    throw refused(`MemorySwap must be a number of bytes, or -1 for no limit: ${swap}`);
  if (swap > 0 && limit === 0)
    throw refused('You should always set the Memory limit when using Memoryswap limit, see usage');
  if (swap > 0 && swap < limit) throw refused('Minimum memoryswap limit should be larger than memory limit, see usage');
  if (limit === 0 && reservation === 0 && host.OomKillDisable !== true) return {};
  return {
    memory: {
      // Without a word on swap a container may swap as much as it has memory, as in Docker.
      ...(limit > 0 ? { limit, ...(countsSwap ? { swap: swap === 0 ? limit * 2 : swap } : {}) } : {}),
      ...(reservation > 0 ? { reservation } : {}),
      ...(host.OomKillDisable === true ? { disableOOMKiller: true } : {}),
    },
  };
}

function cpu(host: HostConfig, cpus: number): Pick<OciResources, 'cpu'> {
  const nano = natural(host.NanoCpus, 'NanoCpus') ?? 0;
  const quota = host.CpuQuota ?? 0;
  const cpuPeriod = natural(host.CpuPeriod, 'CpuPeriod') ?? 0;
  const shares = natural(host.CpuShares, 'CpuShares') ?? 0;
  const set = host.CpusetCpus ?? '';
  if (nano > 0 && cpuPeriod > 0) throw refused('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  if (nano > 0 && quota > 0) throw refused('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  if (nano > 0 && (nano < 1e7 || nano > cpus * 1e9))
    throw refused(`range of CPUs is from 0.01 to ${cpus.toFixed(2)}, as there are only ${cpus} CPUs available`);
  if (cpuPeriod > 0 && (cpuPeriod < 1000 || cpuPeriod > 1_000_000))
    throw refused('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  if (!Number.isSafeInteger(quota) || (quota > 0 && quota < 1000))
    throw refused('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  checkCpuset(set, cpus);
  const chosen = {
    ...(shares > 0 ? { shares } : {}),
    ...(nano > 0 ? { quota: Math.round((nano * period) / 1e9), period } : {}),
    ...(quota > 0 ? { quota, period: cpuPeriod > 0 ? cpuPeriod : period } : cpuPeriod > 0 ? { period: cpuPeriod } : {}),
    ...(set !== '' ? { cpus: set } : {}),
  };
  return Object.keys(chosen).length === 0 ? {} : { cpu: chosen };
}

function checkCpuset(set: string, cpus: number): void {
  if (set === '') return;
  for (const part of set.split(',')) {
    const [, from, to] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part.trim()) ?? [];
    if (from === undefined || Number(to ?? from) < Number(from)) throw refused(`Invalid value ${set} for cpuset cpus`);
    if (Number(to ?? from) >= cpus)
      throw refused(`Requested CPUs are not available - requested ${set}, available: 0-${cpus - 1}`);
  }
}

function pids(host: HostConfig): Pick<OciResources, 'pids'> {
  const limit = host.PidsLimit ?? 0;
  if (!Number.isSafeInteger(limit) || limit < -1)
    throw refused(`PidsLimit must be a number, or -1 for no limit: ${limit}`);
  return limit > 0 ? { pids: { limit } } : {};
}

function natural(value: number | undefined, what: string): number | undefined {
  if (value !== undefined && (!Number.isSafeInteger(value) || value < 0))
    throw refused(`${what} must be a number that is not negative: ${value}`);
  return value;
}

function refused(message: string): TwofoldError {
  return new TwofoldError('invalid-argument', message);
}
