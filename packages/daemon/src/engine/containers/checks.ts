// Owns the refusal of values that cannot be: isolation, limits, log options, restart policies. Pure. Shapes are the
// front door's to check; words of Docker's that Twofold lacks, capabilities and ulimits are spec/'s.

import { TwofoldError, type ContainerConfig, type HostConfig, type Isolation } from '@twofold/contract';
import { bytesOf } from './plan.ts';

const smallestMemory = 6 << 20;

/** Isolation as a caller writes it, in any case; '' is `default`. */
export function readIsolation(text: string | undefined): 'default' | Isolation {
  const word = (text ?? '').toLowerCase();
  if (word === '' || word === 'default') return 'default';
  if (word === 'process' || word === 'hyperv') return word;
  throw new TwofoldError('invalid-argument', `invalid isolation "${text}": use default, process or hyperv`);
}

/** Throws `invalid-argument`; gives warnings. */
export function checkHostConfig(config: ContainerConfig, host: HostConfig, hostCpus: number): string[] {
  const wrong = (message: string) => {
    throw new TwofoldError('invalid-argument', message);
  };
  for (const [name, value] of Object.entries(host.LogConfig?.Config ?? {})) {
    if (name === 'max-size') {
      if (value === '-1' || bytesOf(value) < 1) wrong('max-size must be a positive number');
    } else if (name === 'max-file') {
      if (!/^[1-9]\d{0,2}$/.test(value)) wrong(`max-file "${value}" is not a number of files from 1 to 999`);
    } else wrong(`unknown log opt '${name}' for ${host.LogConfig?.Type || 'json-file'} log driver`);
  }
  if (host.Memory !== undefined && host.Memory !== 0 && host.Memory < smallestMemory)
    wrong('Minimum memory limit allowed is 6MB');
  if (host.MemorySwap !== undefined && host.MemorySwap > 0 && (host.Memory ?? 0) === 0)
    wrong('You should always set the Memory limit when using Memoryswap limit, see usage');
  if (host.MemorySwap !== undefined && host.MemorySwap > 0 && host.MemorySwap < (host.Memory ?? 0))
    wrong('Minimum memoryswap limit should be larger than memory limit, see usage');
  if (host.MemoryReservation && host.Memory && host.MemoryReservation > host.Memory)
    wrong('Minimum memory limit can not be less than memory reservation limit, see usage');
  if (host.NanoCpus !== undefined && host.NanoCpus !== 0 && (host.NanoCpus < 1e7 || host.NanoCpus > hostCpus * 1e9))
    wrong(`range of CPUs is from 0.01 to ${hostCpus}.00, as there are only ${hostCpus} CPUs available`);
  if (host.NanoCpus && (host.CpuPeriod || host.CpuQuota))
    wrong('Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set');
  if (host.ShmSize !== undefined && host.ShmSize < 0) wrong('SHM size can not be less than 0');
  checkRestartPolicy(host);
  return Object.keys(config.Volumes ?? {}).length > 0
    ? [
        'The image or the request declares volumes; Twofold keeps those paths in the container itself, since volumes are not implemented yet.',
      ]
    : [];
}

/** Docker's rules for the restart policy. */
export function checkRestartPolicy(host: HostConfig): void {
  const { Name: name = '', MaximumRetryCount: count = 0 } = host.RestartPolicy ?? {};
  if (!['', 'no', 'always', 'unless-stopped', 'on-failure'].includes(name))
    throw new TwofoldError(
      'invalid-argument',
      `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  if (count < 0)
    throw new TwofoldError('invalid-argument', 'invalid restart policy: maximum retry count cannot be negative');
  if (count > 0 && name !== 'on-failure')
    throw new TwofoldError(
      'invalid-argument',
      `invalid restart policy: maximum retry count can only be used with 'on-failure'`,
    );
  if (host.AutoRemove === true && name !== '' && name !== 'no')
    throw new TwofoldError('invalid-argument', "can't create 'AutoRemove' container with restart policy");
}
