// Owns Docker's view of a container's `HostConfig`: what was asked for as it was asked, what was left out as dockerd
// fills it in, and never a value that doesn't hold.

import type { HostConfig } from '@twofold/contract';
import type { ContainerRecord } from '../engine/engine.ts';
import { maskedPaths, readonlyPaths } from '../engine/containers/spec/security.ts';
import { networkMode } from './network-names.ts';

const defaultShmBytes = 64 << 20;

/** Words of Docker's that nobody has set: what is a list there is null, not empty. */
const unset = {
  Binds: null,
  ContainerIDFile: '',
  PortBindings: null,
  AutoRemove: false,
  VolumeDriver: '',
  VolumesFrom: null,
  ConsoleSize: [0, 0],
  CapAdd: null,
  CapDrop: null,
  CgroupnsMode: 'private',
  Dns: null,
  DnsOptions: null,
  DnsSearch: null,
  ExtraHosts: null,
  GroupAdd: null,
  IpcMode: 'private',
  Cgroup: '',
  Links: null,
  OomScoreAdj: 0,
  PidMode: '',
  Privileged: false,
  PublishAllPorts: false,
  ReadonlyRootfs: false,
  SecurityOpt: null,
  UTSMode: '',
  UsernsMode: '',
  Runtime: 'crun',
  CpuShares: 0,
  Memory: 0,
  NanoCpus: 0,
  CgroupParent: '',
  BlkioWeight: 0,
  BlkioWeightDevice: null,
  BlkioDeviceReadBps: null,
  BlkioDeviceWriteBps: null,
  BlkioDeviceReadIOps: null,
  BlkioDeviceWriteIOps: null,
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  CpusetCpus: '',
  CpusetMems: '',
  Devices: null,
  DeviceCgroupRules: null,
  DeviceRequests: null,
  MemoryReservation: 0,
  MemorySwap: 0,
  MemorySwappiness: null,
  OomKillDisable: false,
  Ulimits: null,
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
} as const;

/** As `docker inspect` shows it. */
export function hostConfigView({ hostConfig, requestedIsolation }: ContainerRecord): Record<string, unknown> {
  const hidden =
    hostConfig.Privileged === true
      ? { masked: null, readonly: null }
      : { masked: maskedPaths, readonly: readonlyPaths };
  return {
    ...unset,
    ...hostConfig,
    NetworkMode: networkMode(hostConfig.NetworkMode),
    RestartPolicy: {
      Name: hostConfig.RestartPolicy?.Name || 'no',
      MaximumRetryCount: hostConfig.RestartPolicy?.MaximumRetryCount ?? 0,
    },
    LogConfig: { Type: hostConfig.LogConfig?.Type || 'json-file', Config: hostConfig.LogConfig?.Config ?? {} },
    ShmSize: hostConfig.ShmSize || defaultShmBytes,
    MemorySwap: swapOf(hostConfig),
    PidsLimit: (hostConfig.PidsLimit ?? 0) > 0 ? hostConfig.PidsLimit : null,
    MaskedPaths: hostConfig.MaskedPaths ?? hidden.masked,
    ReadonlyPaths: hostConfig.ReadonlyPaths ?? hidden.readonly,
    Isolation: requestedIsolation,
  };
}

/** A memory limit alone allows as much swap again, as dockerd has it. */
function swapOf({ Memory = 0, MemorySwap = 0 }: HostConfig): number {
  return Memory > 0 && MemorySwap === 0 ? 2 * Memory : MemorySwap;
}
