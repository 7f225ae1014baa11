// Owns the making of a container: everything about it is decided and written down; nothing runs and nothing is mounted.
// Start does the rest.

import { mkdir, rm } from 'node:fs/promises';
import { availableParallelism, hostname } from 'node:os';
import {
  TwofoldError,
  isTwofoldError,
  newId,
  signalNumber,
  type ContainerId,
  type HostConfig,
} from '@twofold/contract';
import type { Network } from '../../networks/networks.ts';
import type { Adapter, ContainerRecord, Containers } from '../engine.ts';
import { containerDirectory, logPath } from '../places.ts';
import { publishContainer, type Room } from '../room.ts';
import { checkAdapters, makeAdapter } from './adapters.ts';
import { checkHostConfig, readIsolation } from './checks.ts';
import { checkFreeSpace } from './free-space.ts';
import { mergeConfiguration } from './configuration.ts';
import { checkName, makeUpName } from './name.ts';
import { machineFor } from './plan.ts';
import type { StoredContainer } from './records.ts';

type Command = Parameters<Containers['create']>[0];

/** Docker's command line says 0 for nothing said; -1 is no limit. */
function withDefaultPids(host: HostConfig, limit: number): HostConfig {
  return limit > 0 && (host.PidsLimit ?? 0) === 0 ? { ...host, PidsLimit: limit } : host;
}

/** See Containers.create. */
export async function createContainer(room: Room, command: Command): Promise<{ id: ContainerId; warnings: string[] }> {
  const { settings, records } = room;
  if (command.config.StopSignal) signalNumber(command.config.StopSignal);
  const id = newId<ContainerId>();
  const requested = readIsolation(command.hostConfig.Isolation);
  const isolation = requested === 'default' ? settings.defaultIsolation : requested;
  const driver = room.driver(isolation);
  const name =
    command.name === undefined || command.name === ''
      ? makeUpName((made) => records.named(made) !== undefined)
      : checkName(command.name);
  const image = room.images.find(command.config.Image ?? '');
  const { networking, adapters } = placeOf(room, command);
  // On the host's network a container has the host's name, unless it is given its own.
  const named =
    networking === 'host' && !command.config.Hostname ? { ...command.config, Hostname: hostname() } : command.config;
  const config = mergeConfiguration(id, named, image.config);
  const limited = withDefaultPids(command.hostConfig, settings.defaultPidsLimit);
  const hostConfig = networking === 'adapters' ? limited : { ...limited, NetworkMode: networking };
  const warnings = checkHostConfig(config, hostConfig, availableParallelism());
  room.specifications.check({ id, isolation, config, hostConfig });
  checkFreeSpace(settings);
  const directory = containerDirectory(settings, id);
  await mkdir(directory, { mode: 0o700 }).catch((cause: NodeJS.ErrnoException) => {
    throw cause.code === 'ENOSPC'
      ? new TwofoldError('no-space', 'The disk is full: make room, or remove containers and images.', { cause })
      : cause;
  });
  const record: StoredContainer = {
    id,
    name,
    config,
    isolation,
    created: timestamp(),
    requestedIsolation: requested,
    image: image.id,
    imageName: command.config.Image ?? image.id,
    hostConfig: { ...hostConfig, Isolation: hostConfig.Isolation ?? '' },
    life: { at: 'created', error: '', exitCode: 0 },
    restartCount: 0,
    networking,
    adapters,
    sealedLayers: [],
    diffIds: image.diffIds,
    machine: isolation === 'hyperv' ? machineFor(settings, hostConfig) : null,
    accelerator: driver.accelerator,
    logPath: logPath(settings, id),
    execIds: [],
    stoppedByUser: false,
  };
  try {
    room.together(() => {
      records.insert(record);
      publishContainer(room, record, 'create');
    });
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  return { id, warnings };
}

/** The networks that were named, or the one of the network mode, each by an adapter of its own. */
function placeOf(room: Room, command: Command): Pick<ContainerRecord, 'networking' | 'adapters'> {
  const wanted = command.networks ?? [
    {
      reference: command.hostConfig.NetworkMode || 'default',
      ...(command.config.MacAddress ? { mac: command.config.MacAddress } : {}),
    },
  ];
  const adapters: Adapter[] = [];
  for (const { reference, ...settings } of wanted) {
    const { id, driver } = networkNamed(room, reference);
    if (driver === 'bridge') adapters.push(makeAdapter(room.networks, { network: id, ...settings }));
    else if (wanted.length === 1) return { networking: driver, adapters: [] };
    else
      throw new TwofoldError(
        'invalid-argument',
        driver === 'none'
          ? 'container cannot be connected to multiple networks with one of the networks in private (none) mode'
          : 'container cannot be disconnected from host network or connected to host network',
      );
  }
  checkAdapters(adapters);
  return { networking: 'adapters', adapters };
}

/** An unknown network is the request's fault: "not found" would make docker's CLI pull the image. */
function networkNamed(room: Room, reference: string): Network {
  try {
    return room.networks.find(reference);
  } catch (error) {
    if (isTwofoldError(error, 'network-not-found'))
      throw new TwofoldError('invalid-argument', error.message, { cause: error });
    throw error;
  }
}

/** RFC 3339 with nine digits, as Docker writes it; the last six are zero. */
export function timestamp(at: number = Date.now()): string {
  return new Date(at).toISOString().replace('Z', '000000Z');
}
