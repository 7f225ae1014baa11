// Owns what of inspect's answers is compared: every key with its value where the value is the engine's to choose, and
// with the kind of its value (`string`, `null`, `array` …) where it differs by nature: ids, times, addresses, names.

import { ask, type World } from './world.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** As docker's CLI writes a create request when nothing is asked for: with zeros and empty lists for nearly all. */
const fromTheCli = {
  Hostname: '',
  Domainname: '',
  User: '',
  AttachStdin: false,
  AttachStdout: true,
  AttachStderr: true,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: null,
  Cmd: ['sleep', '1'],
  Image: 'box',
  Volumes: {},
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: {},
  HostConfig: {
    Binds: null,
    ContainerIDFile: '',
    LogConfig: { Type: '', Config: {} },
    NetworkMode: 'default',
    PortBindings: {},
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    AutoRemove: false,
    VolumeDriver: '',
    VolumesFrom: null,
    ConsoleSize: [0, 0],
    CapAdd: null,
    CapDrop: null,
    CgroupnsMode: '',
    Dns: [],
    DnsOptions: [],
    DnsSearch: [],
    ExtraHosts: null,
    GroupAdd: null,
    IpcMode: '',
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
    ShmSize: 0,
    Isolation: '',
    CpuShares: 0,
    Memory: 0,
    NanoCpus: 0,
    CgroupParent: '',
    BlkioWeight: 0,
    BlkioWeightDevice: [],
    BlkioDeviceReadBps: [],
    BlkioDeviceWriteBps: [],
    BlkioDeviceReadIOps: [],
    BlkioDeviceWriteIOps: [],
    CpuPeriod: 0,
    CpuQuota: 0,
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    CpusetCpus: '',
    CpusetMems: '',
    Devices: [],
    DeviceCgroupRules: null,
    DeviceRequests: null,
    MemoryReservation: 0,
    MemorySwap: 0,
    MemorySwappiness: -1,
    OomKillDisable: false,
    PidsLimit: 0,
    Ulimits: null,
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
    MaskedPaths: null,
    ReadonlyPaths: null,
  },
  NetworkingConfig: { EndpointsConfig: {} },
};

/** A create request with something in most of its words. */
const withWords = {
  Image: 'box',
  Cmd: ['sleep', '1'],
  Labels: { a: 'b' },
  Env: ['A=b'],
  StopSignal: 'SIGINT',
  HostConfig: {
    Memory: 67108864,
    CpuShares: 512,
    PidsLimit: 50,
    ShmSize: 1048576,
    CapAdd: ['NET_ADMIN'],
    Dns: ['192.0.2.1'],
    ExtraHosts: ['a:192.0.2.2'],
    Ulimits: [{ Name: 'nofile', Soft: 10, Hard: 20 }],
    Tmpfs: { '/t': '' },
    RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
    LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
    Init: true,
    Privileged: false,
    ReadonlyRootfs: true,
  },
};

async function created(world: World, body: object): Promise<Json> {
  const made = await ask(world, { method: 'POST', path: '/containers/create', body });
  const { Id } = JSON.parse(made.body.toString()) as { Id: string };
  const seen = await get(`/containers/${Id}/json?size=1`)(world);
  await ask(world, { method: 'DELETE', path: `/containers/${Id}` });
  return seen;
}

const get =
  (path: string) =>
  async (world: World): Promise<Json> =>
    JSON.parse((await ask(world, { method: 'GET', path })).body.toString()) as Json;

export const shapes: readonly { readonly title: string; readonly request: (world: World) => Promise<Json> }[] = [
  { title: 'a container as the CLI makes it', request: (world) => created(world, fromTheCli) },
  { title: 'a container of an image alone', request: (world) => created(world, { Image: 'box', Cmd: ['sleep', '1'] }) },
  { title: 'a container with most words', request: (world) => created(world, withWords) },
  { title: 'a container that runs', request: get('/containers/up/json') },
  { title: 'a container that has ended', request: get('/containers/ended/json') },
  {
    title: 'the list of containers',
    request: async (world) => ((await get('/containers/json?all=1')(world)) as Json[])[0]!,
  },
  { title: 'an image', request: get('/images/box/json') },
  { title: 'the list of images', request: get('/images/json?filters={"reference":["box"]}') },
  { title: 'a network', request: get('/networks/lan') },
];

/** Parts whose values are the engine's own choice, and so are compared as values. */
const valued = /^(HostConfig|Config|State)\b/;
/** … but for these: they differ by nature. */
const natural =
  /^(Config\.Hostname|Config\.Image|State\.(Pid|StartedAt|FinishedAt|Error)|HostConfig\.(Runtime|Isolation))$/;
/** Maps whose keys are names that the engine gives. */
const named = /^(GraphDriver\.Data|NetworkSettings\.(Networks|Ports)|Containers|RootFS\.Layers)$/;

/** Every path of an answer with its value, or its value's kind. */
export function shapeOf(answer: Json, path = ''): Record<string, Json> {
  if (answer === null || typeof answer !== 'object') {
    const value = valued.test(path) && !natural.test(path) ? answer : answer === null ? 'null' : typeof answer;
    return { [path]: value };
  }
  if (Array.isArray(answer)) {
    if (valued.test(path)) return { [path]: answer };
    return answer.length === 0 || named.test(path)
      ? { [path]: 'array' }
      : { [path]: 'array', ...shapeOf(answer[0]!, `${path}[]`) };
  }
  if (named.test(path)) return { [path]: 'object' };
  const entries = Object.entries(answer).filter(([key]) => !(path === '' && key === 'Twofold'));
  if (entries.length === 0) return { [path]: 'object' };
  return Object.assign({}, ...entries.map(([key, value]) => shapeOf(value, path === '' ? key : `${path}.${key}`)));
}
