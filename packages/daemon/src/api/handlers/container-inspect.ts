// Owns GET /containers/{name}/json: the engine's record in Docker's shape, with Twofold's own facts under `Twofold`.

import { guid } from '@twofold/contract';
import type { ContainerRecord } from '../../engine/engine.ts';
import type { Context } from '../context.ts';
import { sendJson } from '../respond.ts';
import { sizes } from './container-list.ts';

/** Go's zero time, which clients test for. */
const never = '0001-01-01T00:00:00Z';

export async function inspectContainer(context: Context): Promise<void> {
  const record = context.engine.containers.find(context.parameters['name']!);
  sendJson(context, { ...containerView(record), ...(context.query.flag('size') ? await sizes(context.engine, record) : {}) });
}

function containerView(record: ContainerRecord): Record<string, unknown> {
  const words = [...(record.config.Entrypoint ?? []), ...(record.config.Cmd ?? [])];
  return {
    Id: record.id,
    Created: record.created,
    Path: words[0] ?? '',
    Args: words.slice(1),
    State: stateView(record),
    Image: record.image,
    ResolvConfPath: '',
    HostnamePath: '',
    HostsPath: '',
    LogPath: record.logPath,
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: 'erofs-overlay',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: record.execIds.length > 0 ? record.execIds : null,
    HostConfig: hostConfigView(record),
    GraphDriver: { Name: 'erofs-overlay', Data: { Layers: String(record.diffIds.length), SealedLayers: String(record.sealedLayers.length) } },
    Mounts: [],
    Config: configView(record),
    NetworkSettings: networkView(record),
    Twofold: {
      Guid: guid(record.id),
      Isolation: record.isolation,
      RequestedIsolation: record.requestedIsolation,
      Accelerator: record.accelerator,
      Machine: record.machine === null ? null : { MemoryBytes: record.machine.memoryBytes, Cpus: record.machine.cpus },
      SealedLayers: record.sealedLayers.map((layer) => ({ DiffId: layer.diffId, SizeBytes: layer.sizeBytes })),
    },
  };
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

function stateView({ life }: ContainerRecord): Record<string, unknown> {
  const is = (at: string) => life.at === at;
  return {
    Status: life.at,
    Running: is('running') || is('paused') || is('restarting'),
    Paused: is('paused'),
    Restarting: is('restarting'),
    OOMKilled: life.at === 'exited' && life.oomKilled,
    Dead: is('dead'),
    Pid: life.at === 'running' || life.at === 'paused' ? life.pid : 0,
    ExitCode: 'exitCode' in life ? life.exitCode : 0,
    Error: 'error' in life ? life.error : '',
    StartedAt: 'startedAt' in life ? time(life.startedAt) : never,
    FinishedAt: 'finishedAt' in life ? time(life.finishedAt) : never,
  };
}

function configView({ config, imageName }: ContainerRecord): Record<string, unknown> {
  return {
    Hostname: '', Domainname: '', User: '', AttachStdin: false, AttachStdout: false, AttachStderr: false, Tty: false, OpenStdin: false, StdinOnce: false,
    Env: [], Cmd: null, Image: imageName, Volumes: null, WorkingDir: '', Entrypoint: null, OnBuild: null, Labels: {}, ...config,
  };
}

function hostConfigView({ hostConfig, isolation }: ContainerRecord): Record<string, unknown> {
  return {
    Binds: null, ContainerIDFile: '', PortBindings: {}, AutoRemove: false, VolumeDriver: '', VolumesFrom: null, ConsoleSize: [0, 0],
    CapAdd: null, CapDrop: null, CgroupnsMode: 'private', Dns: [], DnsOptions: [], DnsSearch: [], ExtraHosts: null, GroupAdd: null, IpcMode: 'private',
    Cgroup: '', Links: null, OomScoreAdj: 0, PidMode: '', Privileged: false, PublishAllPorts: false, ReadonlyRootfs: false, SecurityOpt: null,
    UTSMode: '', UsernsMode: '', ShmSize: 64 << 20, Runtime: 'crun', CpuShares: 0, Memory: 0, NanoCpus: 0, CgroupParent: '', BlkioWeight: 0,
    CpuPeriod: 0, CpuQuota: 0, CpusetCpus: '', CpusetMems: '', Devices: [], MemoryReservation: 0, MemorySwap: 0, MemorySwappiness: null,
    OomKillDisable: null, PidsLimit: null, Ulimits: [], MaskedPaths: null, ReadonlyPaths: null,
    ...hostConfig,
    NetworkMode: hostConfig.NetworkMode || 'default',
    RestartPolicy: { Name: hostConfig.RestartPolicy?.Name || 'no', MaximumRetryCount: hostConfig.RestartPolicy?.MaximumRetryCount ?? 0 },
    LogConfig: { Type: hostConfig.LogConfig?.Type || 'json-file', Config: hostConfig.LogConfig?.Config ?? {} },
    Isolation: isolation,
  };
}

/** A container's place on its network, as inspect and the list show it. */
export function endpointView(record: ContainerRecord): Record<string, unknown> {
  const network = record.network!;
  const up = record.life.at === 'running' || record.life.at === 'paused';
  return {
    IPAMConfig: null, Links: null, Aliases: network.aliases.length > 0 ? network.aliases : null, DriverOpts: null,
    NetworkID: network.id, EndpointID: up ? record.id : '', MacAddress: network.mac,
    Gateway: up ? network.gateway : '', IPAddress: up ? network.address : '', IPPrefixLen: up ? network.prefixLength : 0,
    IPv6Gateway: '', GlobalIPv6Address: '', GlobalIPv6PrefixLen: 0, DNSNames: [record.name, record.id.slice(0, 12), ...network.aliases],
  };
}

function networkView(record: ContainerRecord): Record<string, unknown> {
  const endpoint = record.network === null ? null : endpointView(record);
  return {
    Bridge: '', SandboxID: record.id, SandboxKey: '', Ports: {}, HairpinMode: false, LinkLocalIPv6Address: '', LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null, SecondaryIPv6Addresses: null, EndpointID: endpoint?.['EndpointID'] ?? '', Gateway: endpoint?.['Gateway'] ?? '',
    GlobalIPv6Address: '', GlobalIPv6PrefixLen: 0, IPAddress: endpoint?.['IPAddress'] ?? '', IPPrefixLen: endpoint?.['IPPrefixLen'] ?? 0,
    IPv6Gateway: '', MacAddress: endpoint?.['MacAddress'] ?? '', Networks: endpoint === null ? {} : { [record.network!.name]: endpoint },
  };
}
