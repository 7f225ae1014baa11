// Owns how a create body becomes a plain command for the engine: checks that need no state, and nothing else. What the
// engine alone can know (image, isolation, network, name) it refuses itself.

import { type ContainerConfig, type HostConfig, TwofoldError } from '@twofold/contract';
import * as v from 'valibot';
import type { Containers } from '../../engine/engine.ts';
import { dockerName } from '../network-names.ts';
import { endpointChange } from './endpoint.ts';
import { refuseInConfig, refuseInHostConfig } from './refusals.ts';
import { configEntries, containerConfig, type CreateRequest, hostConfig } from './schema.ts';

export type CreateCommand = Parameters<Containers['create']>[0];

const minimumMemoryBytes = 6 << 20;

/** Throws `invalid-argument` or `not-implemented`; warnings are for the client. */
export function createCommand(
  name: string | undefined,
  body: CreateRequest,
  minor: number,
): { command: CreateCommand; warnings: string[] } {
  const warnings = [...refuseInConfig(body, configEntries), ...refuseInHostConfig(body.HostConfig, hostConfig.entries)];
  const config = v.parse(containerConfig, body) satisfies ContainerConfig;
  const host = parseHostConfig(body.HostConfig);
  checkResources(host);
  if (config.Image === undefined || config.Image === '') fail('no image was named');
  if (host.AutoRemove === true && !['', 'no', undefined].includes(host.RestartPolicy?.Name))
    fail("can't create 'AutoRemove' container with restart policy");
  if (config.StopTimeout !== undefined && config.StopTimeout < -1) fail(`invalid stop timeout: ${config.StopTimeout}`);
  for (const variable of config.Env ?? [])
    if (variable === '' || variable.startsWith('=')) fail(`invalid environment variable: ${variable.slice(0, 60)}`);
  const networks = networksOf(host.NetworkMode ?? '', body.NetworkingConfig.EndpointsConfig, config.MacAddress, minor);
  return {
    command: {
      ...(name === undefined ? {} : { name: checkName(name) }),
      config,
      hostConfig: host,
      ...(networks === undefined ? {} : { networks }),
    },
    warnings,
  };
}

function parseHostConfig(bag: unknown): HostConfig {
  const result = v.safeParse(hostConfig, bag);
  if (!result.success) fail(`HostConfig.${v.getDotPath(result.issues[0]) ?? ''}: ${result.issues[0].message}`);
  const { RestartPolicy, ...rest } = result.output;
  // `private`, `shareable` and nothing are the same here (refusals.ts has turned away the rest): a container always has
  // its own.
  return {
    ...rest,
    ...(RestartPolicy === undefined ? {} : { RestartPolicy: checkRestart(RestartPolicy) }),
    IpcMode: 'private',
    PidMode: '',
    UTSMode: '',
    CgroupnsMode: 'private',
  };
}

function checkRestart(policy: {
  Name: '' | 'no' | 'always' | 'unless-stopped' | 'on-failure';
  MaximumRetryCount?: number | undefined;
}): NonNullable<HostConfig['RestartPolicy']> {
  const count = policy.MaximumRetryCount ?? 0;
  if (count < 0) fail('maximum retry count cannot be negative');
  if (count > 0 && policy.Name !== 'on-failure')
    fail(`invalid restart policy: maximum retry count can only be used with 'on-failure'`);
  return { Name: policy.Name, MaximumRetryCount: count };
}

/** Docker's words where it has them. Shared with update. */
export function checkResources(host: HostConfig): void {
  const memory = host.Memory ?? 0;
  const swap = host.MemorySwap ?? 0;
  if (memory < 0 || (memory > 0 && memory < minimumMemoryBytes)) fail('Minimum memory limit allowed is 6MB');
  if (memory > 0 && swap > 0 && swap < memory)
    fail('Minimum memoryswap limit should be larger than memory limit, see usage');
  if (memory === 0 && swap > 0) fail('You should always set the Memory limit when using Memoryswap limit, see usage');
  if ((host.MemoryReservation ?? 0) < 0 || (memory > 0 && (host.MemoryReservation ?? 0) > memory))
    fail('Minimum memory limit can not be less than memory reservation limit, see usage');
  if ((host.NanoCpus ?? 0) < 0) fail('Range of CPUs is from 0.01 upwards');
  if ((host.NanoCpus ?? 0) > 0 && ((host.CpuPeriod ?? 0) > 0 || (host.CpuQuota ?? 0) > 0))
    fail('Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set');
  if ((host.CpuPeriod ?? 0) !== 0 && (host.CpuPeriod! < 1000 || host.CpuPeriod! > 1_000_000))
    fail('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  if ((host.CpuQuota ?? 0) > 0 && host.CpuQuota! < 1000) fail('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  if ((host.ShmSize ?? 0) < 0) fail('SHM size can not be less than 0');
  if (host.OomScoreAdj !== undefined && (host.OomScoreAdj < -1000 || host.OomScoreAdj > 1000))
    fail(`Invalid value ${host.OomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  for (const limit of host.Ulimits ?? [])
    if (limit.Hard !== -1 && (limit.Soft > limit.Hard || limit.Soft === -1))
      fail(`ulimit soft limit must be less than or equal to hard limit: ${limit.Name.slice(0, 30)}`);
}

/** A leading slash is Docker's habit and allowed. */
export function checkName(name: string): string {
  const bare = name.startsWith('/') ? name.slice(1) : name;
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(bare) || bare.length > 255)
    fail(`Invalid container name (${name.slice(0, 255)}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  return bare;
}

/** API version from which a container may be made on several networks. */
const severalNetworksMinor = 44;

/**
 * The networks that were named, that of the network mode first: its adapter is eth0. Undefined: the mode alone says it.
 */
function networksOf(
  mode: string,
  endpoints: CreateRequest['NetworkingConfig']['EndpointsConfig'],
  configMac: string | undefined,
  minor: number,
): CreateCommand['networks'] {
  if (mode.startsWith('container:'))
    throw new TwofoldError(
      'not-implemented',
      `Twofold does not have this yet: joining another container's network (--network ${mode.slice(0, 80)}).`,
    );
  const isMode = (name: string) => name.toLowerCase() === mode.toLowerCase() || (isDefault(name) && isDefault(mode));
  const named = Object.entries(endpoints).toSorted(([a], [b]) => Number(isMode(b)) - Number(isMode(a)));
  if (named.length > 1 && minor < severalNetworksMinor)
    fail(
      `Container cannot be connected to network endpoints: ${named
        .map(([name]) => name)
        .join(', ')
        .slice(0, 200)}`,
    );
  if (named.length === 0) return undefined;
  if (['none', 'host'].includes(mode.toLowerCase()) && !(named.length === 1 && isMode(named[0]![0])))
    fail('conflicting options: cannot attach both user-defined and non-user-defined network-modes');
  return named.map(([name, settings], index) => {
    const { address, mac, aliases } = endpointChange(settings);
    const wanted = mac ?? (index === 0 ? configMac : undefined);
    return {
      reference: name === '' ? 'default' : name,
      ...(address ? { address } : {}),
      ...(wanted ? { mac: wanted } : {}),
      ...(aliases === undefined ? {} : { aliases }),
    };
  });
}

function isDefault(name: string): boolean {
  return ['', 'default', 'bridge'].includes(dockerName(name).toLowerCase());
}

function fail(message: string): never {
  throw new TwofoldError('invalid-argument', message);
}
