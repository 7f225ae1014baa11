// Owns what a driver is told of a container's place: sandbox, root file system, provided files, log. Pure but for what
// images and settings say. Does not own what runs in it: spec/ does.

import { join, resolve } from 'node:path';
import { TwofoldError, type HostConfig } from '@twofold/contract';
import type { ContainerSpec, SandboxInterface, SandboxResources, SandboxSpec } from '../../drivers/driver.ts';
import type { Endpoint } from '../../networks/networks.ts';
import type { Settings } from '../../settings.ts';
import type { Adapter, ContainerRecord } from '../engine.ts';
import { logPath, providedPath, sandboxDirectory, sandboxOf, writableDirectory } from '../places.ts';
import type { Room } from '../room.ts';
import { inheritingMounts } from './spec/mounts.ts';
import { initPath, processDirectory } from './spec/process.ts';
import { namespacedSysctls } from './spec/security.ts';

/** For createContainer and filesAtRest. */
export function containerSpec(room: Pick<Room, 'settings' | 'images'>, record: ContainerRecord): ContainerSpec {
  const { settings, images } = room;
  const sealed = record.sealedLayers.map(({ path, name }) => ({ path, name })).reverse();
  return {
    id: record.id,
    sandbox: sandboxOf(record.id),
    rootfs: {
      layers: [...sealed, ...images.layers(record.image)],
      writableDirectory: writableDirectory(settings, record.id),
      readOnly: record.hostConfig.ReadonlyRootfs ?? false,
      inheritRoot: sealed.length > 0,
    },
    files: [
      ...['hosts', 'hostname', 'resolv.conf'].map((name) => ({
        path: join('/etc', name),
        source: providedPath(settings, record.id, name),
        mode: 0o644,
      })),
      // `csrss` reaps and passes signals on, which is all that --init is for.
      ...(record.hostConfig.Init === true
        ? [{ path: initPath, source: join(settings.libRoot, 'bin', 'csrss'), mode: 0o755 }]
        : []),
    ],
    directories: Object.keys(record.config.Volumes ?? {}).map((path) => resolve('/', path)),
    temporary: inheritingMounts(record.hostConfig),
    workingDirectory: processDirectory(record.config.WorkingDir),
    user: record.config.User ?? '',
    log: logSpec(settings, record),
  };
}

/** For createSandbox and configureNetwork. */
export function sandboxSpec(settings: Settings, record: ContainerRecord, endpoints: readonly Endpoint[]): SandboxSpec {
  return {
    id: sandboxOf(record.id),
    namespace: 'docker',
    directory: sandboxDirectory(settings, record.id),
    hostname: record.config.Hostname ?? record.id.slice(0, 12),
    ...(record.config.Domainname ? { domainname: record.config.Domainname } : {}),
    network:
      endpoints.length === 0
        ? { mode: record.networking === 'host' ? 'host' : 'none' }
        : { mode: 'attached', interfaces: interfacesOf(endpoints) },
    machine: record.machine ?? settings.machine,
    sysctls: namespacedSysctls(record.hostConfig, record.networking === 'host'),
    cgroupPath: `${settings.cgroupParent}/${record.id}`,
    resources: sandboxResources(record.hostConfig),
  };
}

/** The endpoint whose gateway the container's default route goes to: the first that leads out, or else the first. */
export function leadingEndpoint(endpoints: readonly Endpoint[]): Endpoint | undefined {
  return endpoints.find(({ gateway }) => gateway !== undefined) ?? endpoints[0];
}

/** Tables below are the kernel's own. */
const firstTable = 1000;

/**
 * Every interface but the leading one has routes of its own for what is sent from its address: a switch takes an
 * address from its own port only, so an answer must leave where the question came in, also where two adapters are on
 * one switch.
 */
function interfacesOf(endpoints: readonly Endpoint[]): SandboxInterface[] {
  const leading = leadingEndpoint(endpoints);
  return endpoints.map((endpoint, index) =>
    endpoint === leading ? endpoint : { ...endpoint, table: firstTable + index },
  );
}

/** Limits as numbers; absent is no limit. */
export function sandboxResources(host: HostConfig): SandboxResources {
  const cpus = host.NanoCpus
    ? host.NanoCpus / 1e9
    : host.CpuQuota && host.CpuQuota > 0
      ? host.CpuQuota / (host.CpuPeriod || 100_000)
      : 0;
  return {
    ...(host.Memory ? { memoryBytes: host.Memory } : {}),
    ...(cpus > 0 ? { cpus } : {}),
    ...(host.PidsLimit && host.PidsLimit > 0 ? { pids: host.PidsLimit } : {}),
  };
}

/** What the utility VM has for the container: the setting's, or as much as its own limits ask for. */
export function machineFor(settings: Settings, host: HostConfig): { memoryBytes: number; cpus: number } {
  const { memoryBytes = 0, cpus = 0 } = sandboxResources(host);
  return {
    memoryBytes: Math.max(settings.machine.memoryBytes, memoryBytes),
    cpus: Math.max(settings.machine.cpus, Math.ceil(cpus)),
  };
}

function logSpec(settings: Settings, record: ContainerRecord): ContainerSpec['log'] {
  const { Type: type = '', Config: config = {} } = record.hostConfig.LogConfig ?? {};
  if (type === 'none') return null;
  return {
    path: logPath(settings, record.id),
    maxBytes: config['max-size'] === undefined ? settings.logMaxBytes : bytesOf(config['max-size']),
    maxFiles: config['max-file'] === undefined ? settings.logMaxFiles : Number(config['max-file']),
    minimumFreeBytes: settings.minimumFreeBytes,
  };
}

/** Docker's sizes: `10m`, `1g`, `512`, `-1` for no limit. */
export function bytesOf(text: string): number {
  if (text === '-1') return 0;
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(text.trim());
  const bytes = Math.floor(Number(match?.[1]) * 1024 ** ' kmgt'.indexOf(match?.[2]?.toLowerCase() || ' '));
  if (!Number.isSafeInteger(bytes))
    throw new TwofoldError('invalid-argument', `"${text}" is not a valid size; examples are 10m, 512k and 1g.`);
  return bytes;
}

/** Names by which others on an adapter's switch find its container. */
export function endpointNames(record: ContainerRecord, adapter: Adapter): string[] {
  return [
    ...new Set([
      record.name,
      record.id.slice(0, 12),
      ...adapter.aliases,
      ...(record.config.Hostname ? [record.config.Hostname] : []),
    ]),
  ];
}
