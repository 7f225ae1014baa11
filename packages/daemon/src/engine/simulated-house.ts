// Owns a house for the engine's tests: images, networks and specifications as small as can be, over the simulated
// driver. A second daemon can be opened on the same state and world, as after a restart.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import {
  TwofoldError,
  type AdapterId,
  type ContainerConfig,
  type ContainerId,
  type HostConfig,
  type ImageConfig,
  type ImageId,
  type NetworkId,
} from '@twofold/contract';
import { SimulatedDriver, SimulatedWorld } from '../drivers/simulated/driver.ts';
import type { Image, Images } from '../images/images.ts';
import type { Endpoint, Network, Networks, Request } from '../networks/networks.ts';
import type { Settings } from '../settings.ts';
import { FillingDisk } from '../state/filling-disk.ts';
import { LostAndFound } from '../state/lost-and-found.ts';
import type { StoredContainer } from './containers/records.ts';
import type { Engine, EngineInfo } from './engine.ts';
import { openEngine } from './open.ts';
import type { Specifications } from './room.ts';

const imageId = `sha256:${'1'.repeat(64)}` as ImageId;

export interface House extends AsyncDisposable {
  engine: Engine;
  readonly world: SimulatedWorld;
  /** Of the database. */
  readonly disk: FillingDisk;
  readonly settings: Settings;
  readonly reserved: Map<AdapterId, Endpoint>;
  /** What is written down of the containers. */
  rows(): StoredContainer[];
  /** The daemon dies and another takes over; `between` is what happens meanwhile. */
  restart(between?: () => void): Promise<void>;
  run(args: string[], hostConfig?: HostConfig, config?: ContainerConfig): Promise<ContainerId>;
  create(args: string[], hostConfig?: HostConfig, config?: ContainerConfig & { name?: string }): Promise<ContainerId>;
}

export async function openHouse(options: { image?: ImageConfig } = {}): Promise<House> {
  const disk = new FillingDisk();
  const root = mkdtempSync(join(tmpdir(), 'twofold-engine-'));
  const settings = {
    dataRoot: root,
    runRoot: join(root, 'run'),
    defaultIsolation: 'process',
    cgroupParent: '/t',
    machine: { memoryBytes: 2 ** 31, cpus: 2 },
    logMaxBytes: 0,
    logMaxFiles: 1,
    minimumFreeBytes: 0,
  } as Settings;
  const world = new SimulatedWorld();
  const reserved = new Map<AdapterId, Endpoint>();
  const never = AbortSignal.any([]);
  const open = async () => {
    const database = disk.open(join(root, 'state.db'));
    const engine = await openEngine({
      settings,
      database,
      lost: new LostAndFound(root),
      log: pino({ level: 'silent' }),
      images: images(options.image ?? {}),
      networks: networks(reserved),
      specifications,
      info: {} as EngineInfo,
      drivers: new Map([
        ['process', new SimulatedDriver('process', world)],
        ['hyperv', new SimulatedDriver('hyperv', world)],
      ]),
    });
    return { engine, database };
  };
  let daemon = await open();
  const close = async () => {
    await daemon.engine[Symbol.asyncDispose]();
    daemon.database[Symbol.dispose]();
    world.listener = null;
  };
  const house: House = {
    engine: daemon.engine,
    world,
    disk,
    rows: () =>
      daemon.database
        .all<{ record: string }>('SELECT record FROM containers ORDER BY rowid')
        .map(({ record }) => JSON.parse(record) as StoredContainer),
    settings,
    reserved,
    async restart(between = () => undefined) {
      await close();
      between();
      daemon = await open();
      house.engine = daemon.engine;
    },
    async create(args, hostConfig = {}, { name, ...config } = {}) {
      return (
        await house.engine.containers.create(
          { ...(name === undefined ? {} : { name }), config: { Image: 'test', Cmd: args, ...config }, hostConfig },
          never,
        )
      ).id;
    },
    async run(args, hostConfig, config) {
      const id = await house.create(args, hostConfig, config);
      await house.engine.containers.start(id, never);
      return id;
    },
    async [Symbol.asyncDispose]() {
      try {
        await close();
      } finally {
        rmSync(root, { recursive: true, force: true });
      }
    },
  };
  return house;
}

const specifications: Specifications = {
  check: () => undefined,
  container: ({ config }) => ({
    ociVersion: '1.0.2',
    process: {
      args: [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])],
      env: [],
      cwd: '/',
      user: { uid: 0, gid: 0 },
    },
    root: { path: '' },
    mounts: [],
    linux: { namespaces: [] },
  }),
  exec: (_record, request) => ({ args: request.Cmd ?? [], env: [], cwd: '/', user: { uid: 0, gid: 0 } }),
};

function images(config: ImageConfig): Images {
  const image = { id: imageId, tags: ['test:latest'], config, diffIds: [] } as unknown as Image;
  return {
    find: (reference: string) => {
      if (reference !== 'test') throw new TwofoldError('image-not-found', `No such image: ${reference}:latest`);
      return image;
    },
    layers: () => [],
    list: () => [image],
    onEvent: () => undefined,
  } as unknown as Images;
}

function networks(reserved: Map<AdapterId, Endpoint>): Networks {
  const network: Network = {
    id: '2'.repeat(64) as NetworkId,
    name: 'NAT',
    driver: 'bridge',
    bridge: 'tf0',
    subnet: '10.0.0.0/16',
    gateway: '10.0.0.1',
    ipRange: '',
    options: {},
    labels: {},
    internal: false,
    builtIn: true,
    created: '',
  };
  return {
    list: () => [network],
    onEvent: () => undefined,
    find: () => network,
    endpoints: () => [...reserved.values()],
    endpointsOf: (container: ContainerId) =>
      [...reserved.values()].filter((endpoint) => endpoint.container === container),
    checkAddress: () => undefined,
    readMac: (_network: NetworkId | null, text: string) => text,
    reserve({ network: id, container, adapter, name }: Request) {
      const endpoint: Endpoint = {
        adapter,
        network: id,
        container,
        name,
        hostName: 'tf1',
        mac: '02:42:0a:00:00:02',
        addresses: [`10.0.0.${reserved.size + 2}/16`],
        gateway: '10.0.0.1',
        mtu: 1500,
      };
      reserved.set(adapter, endpoint);
      return endpoint;
    },
    rename: () => undefined,
    release: (container: ContainerId) => {
      for (const [adapter, endpoint] of reserved) if (endpoint.container === container) reserved.delete(adapter);
    },
    ensure: async () => undefined,
    connect: async () => undefined,
    disconnect: async () => undefined,
    nameServer: () => '10.0.0.1',
  } as unknown as Networks;
}
