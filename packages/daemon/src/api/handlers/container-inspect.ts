// Owns GET /containers/{name}/json: the engine's record in Docker's shape, with Twofold's own facts under `Twofold`.

import { guid } from '@twofold/contract';
import type { ContainerRecord, Engine } from '../../engine/engine.ts';
import type { Context } from '../context.ts';
import { isUnset } from '../create/refusals.ts';
import { sendJson } from '../respond.ts';
import { networksView } from '../endpoints.ts';
import { hostConfigView } from '../host-config-view.ts';
import { adaptersView } from './adapters.ts';
import { sizes } from './container-list.ts';

/** Go's zero time, which clients test for. */
const never = '0001-01-01T00:00:00Z';

export async function inspectContainer(context: Context): Promise<void> {
  const record = context.engine.containers.find(context.parameters['name']!);
  sendJson(context, {
    ...containerView(context.engine, record),
    ...(context.query.flag('size') ? await sizes(context, record) : {}),
  });
}

function containerView(engine: Engine, record: ContainerRecord): Record<string, unknown> {
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
    GraphDriver: {
      Name: 'erofs-overlay',
      Data: { Layers: String(record.diffIds.length), SealedLayers: String(record.sealedLayers.length) },
    },
    Mounts: [],
    Config: configView(record),
    NetworkSettings: networkView(engine, record),
    Twofold: {
      Guid: guid(record.id),
      Isolation: record.isolation,
      RequestedIsolation: record.requestedIsolation,
      Accelerator: record.accelerator,
      Machine: record.machine === null ? null : { MemoryBytes: record.machine.memoryBytes, Cpus: record.machine.cpus },
      Adapters: adaptersView(record),
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
    Hostname: '',
    Domainname: '',
    User: '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Image: imageName,
    WorkingDir: '',
    OnBuild: null,
    Labels: {},
    ...config,
    Cmd: config.Cmd?.length === 0 ? null : (config.Cmd ?? null),
    Entrypoint: config.Entrypoint?.length === 0 ? null : (config.Entrypoint ?? null),
    Env: config.Env?.length === 0 ? null : (config.Env ?? null),
    Volumes: isUnset(config.Volumes) ? null : config.Volumes,
  };
}

/** The first network's address stands once more on top, for clients from before there were several. */
function networkView(engine: Engine, record: ContainerRecord): Record<string, unknown> {
  const networks = networksView(engine.networks, record);
  const [first = {}] = Object.values(networks);
  return {
    Bridge: '',
    SandboxID: record.id,
    SandboxKey: '',
    Ports: {},
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: first['EndpointID'] ?? '',
    Gateway: first['Gateway'] ?? '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    IPAddress: first['IPAddress'] ?? '',
    IPPrefixLen: first['IPPrefixLen'] ?? 0,
    IPv6Gateway: '',
    MacAddress: first['MacAddress'] ?? '',
    Networks: networks,
  };
}
