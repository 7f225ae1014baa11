// Owns what clients ask of the engine as a whole: ping, version, info, disk usage, and volumes, of which there are
// none.

import { hostname } from 'node:os';
import { TwofoldError } from '@twofold/contract';
import type { Engine } from '../../engine/engine.ts';
import { goArchitecture, kernelArchitecture } from '../architecture.ts';
import type { Context } from '../context.ts';
import { sendJson } from '../respond.ts';
import { maximumVersion, minimumVersion } from '../versions.ts';
import { sizes, summary } from './container-list.ts';
import { imageSummary } from './images.ts';

export function ping({ request, response }: Context): void {
  // Builder-Version 1: docker build is answered (with 501) by the engine itself, not by BuildKit.
  response.writeHead(200, {
    'Docker-Experimental': 'false',
    Ostype: 'linux',
    'Builder-Version': '1',
    Swarm: 'inactive',
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': 2,
  });
  response.end(request.method === 'HEAD' ? undefined : 'OK');
}

export function version(context: Context): void {
  const info = context.engine.info();
  const { version: own, gitCommit = '' } = context.versionInfo;
  const details = {
    ApiVersion: maximumVersion,
    Arch: goArchitecture(),
    BuildTime: '',
    Experimental: 'false',
    GitCommit: gitCommit,
    GoVersion: '',
    KernelVersion: info.kernelVersion,
    MinAPIVersion: minimumVersion,
    Os: 'linux',
  };
  sendJson(context, {
    Platform: { Name: 'Twofold' },
    Components: [
      { Name: 'Engine', Version: own, Details: details },
      { Name: 'node', Version: process.versions.node, Details: {} },
      { Name: 'runtime', Version: info.runtimeVersion, Details: {} },
    ],
    Version: own,
    ApiVersion: maximumVersion,
    MinAPIVersion: minimumVersion,
    GitCommit: gitCommit,
    GoVersion: '',
    Os: 'linux',
    Arch: goArchitecture(),
    KernelVersion: info.kernelVersion,
    BuildTime: '',
  });
}

export function info(context: Context): void {
  const { engine } = context;
  const facts = engine.info();
  const pool = engine.pool();
  const containers = engine.containers.list();
  const count = (...states: string[]) => containers.filter((record) => states.includes(record.life.at)).length;
  sendJson(context, {
    ID: facts.id,
    Containers: containers.length,
    ContainersRunning: count('running', 'restarting'),
    ContainersPaused: count('paused'),
    ContainersStopped: count('created', 'exited', 'dead', 'removing'),
    Images: engine.images.list().length,
    Driver: 'erofs-overlay',
    DriverStatus: [
      ['Layers', 'EROFS'],
      ['Writable layer', 'directory (process), ext4 in the VM (hyperv)'],
      ['Accelerator', facts.accelerator],
      ['Log of a container', logLimits(facts.logLimits)],
      ...(pool === null ? [] : [['Waiting VMs', `${pool.waiting} of ${pool.wanted}`]]),
      ...engine.aids().map((aid) => [aid.name, stateOf(aid)]),
    ],
    Plugins: {
      Volume: [],
      Network: ['bridge', 'host', 'null'],
      Authorization: null,
      Log: ['json-file', 'local', 'none'],
    },
    MemoryLimit: true,
    SwapLimit: true,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    IPv4Forwarding: true,
    OomKillDisable: facts.cgroupVersion === '1',
    Debug: false,
    NFd: 0,
    NGoroutines: 0,
    NEventsListener: 0,
    SystemTime: new Date().toISOString(),
    LoggingDriver: 'json-file',
    CgroupDriver: 'cgroupfs',
    CgroupVersion: facts.cgroupVersion,
    KernelVersion: facts.kernelVersion,
    OperatingSystem: facts.operatingSystem,
    OSVersion: '',
    OSType: 'linux',
    Architecture: kernelArchitecture(),
    NCPU: facts.cpus,
    MemTotal: facts.memoryBytes,
    IndexServerAddress: '',
    RegistryConfig: null,
    GenericResources: null,
    DockerRootDir: facts.dataRoot,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Name: hostname(),
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: context.versionInfo.version,
    Runtimes: { crun: { path: 'crun' } },
    DefaultRuntime: 'crun',
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: facts.defaultIsolation,
    InitBinary: '',
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: facts.runtimeVersion },
    InitCommit: { ID: '' },
    SecurityOptions: ['name=seccomp,profile=builtin', ...(facts.cgroupVersion === '2' ? ['name=cgroupns'] : [])],
    Warnings: facts.warnings.length > 0 ? facts.warnings : null,
    Twofold: {
      DefaultIsolation: facts.defaultIsolation,
      Accelerator: facts.accelerator,
      RuntimeVersion: facts.runtimeVersion,
    },
  });
}

function logLimits({ bytes, files }: { bytes: number; files: number }): string {
  if (bytes === 0) return 'no limit';
  return `at most ${files === 1 ? 'one file' : `${files} files`} of ${Math.round(bytes / 2 ** 10) / 2 ** 10} MiB`;
}

function stateOf({ state, againInMs = 0 }: ReturnType<Engine['aids']>[number]): string {
  const words = { ready: 'ready', making: 'being made', off: 'off' };
  return state === 'failed' ? `failed; next attempt in ${Math.ceil(againInMs / 1000)} s` : words[state];
}

/** `docker system df`. A layer that images share is counted once in the sum, and with each image. */
export async function diskUsage(context: Context): Promise<void> {
  const { engine } = context;
  const containers = engine.containers.list();
  const images = engine.images.list();
  const layers = new Map(images.flatMap((image) => image.diffIds.map((id, at) => [id, image.layerBytes[at] ?? 0])));
  const lost = await engine.lostThings();
  const now = Date.now();
  sendJson(context, {
    LayersSize: [...layers.values()].reduce((sum, bytes) => sum + bytes, 0),
    Images: images.map((image) => ({
      ...imageSummary(image, context.minor, containers.filter((record) => record.image === image.id).length),
      SharedSize: 0,
    })),
    Containers: await Promise.all(
      containers.map(async (record) => ({ ...summary(engine, record, now), ...(await sizes(context, record)) })),
    ),
    Volumes: [],
    // Docker's clients show and prune it under this name; there is no other cache.
    BuildCache: lost.map(({ path, bytes, changedAt }) => ({
      ID: path,
      Type: 'lost+found',
      Description: `found without a row: ${path}`,
      InUse: false,
      Shared: false,
      Size: bytes,
      CreatedAt: new Date(changedAt).toISOString(),
      LastUsedAt: null,
      UsageCount: 0,
    })),
    BuilderSize: lost.reduce((sum, { bytes }) => sum + bytes, 0),
  });
}

/** `docker builder prune`, and a part of `docker system prune`. */
export async function pruneBuildCache(context: Context): Promise<void> {
  const things = await context.engine.emptyLost();
  sendJson(context, {
    CachesDeleted: things.length === 0 ? null : things.map(({ path }) => path),
    SpaceReclaimed: things.reduce((sum, { bytes }) => sum + bytes, 0),
  });
}

export function listVolumes(context: Context): void {
  sendJson(context, { Volumes: [], Warnings: null });
}

export function pruneVolumes(context: Context): void {
  sendJson(context, { VolumesDeleted: null, SpaceReclaimed: 0 });
}

export function unknownVolume(context: Context): void {
  // Docker's 404 for a volume; there are no volumes yet, so it is true of every name.
  throw new TwofoldError('path-not-found', `get ${context.parameters['name']!.slice(0, 100)}: no such volume`);
}
