// Owns the requests whose answers are compared with dockerd's: made from a table of words and values, so that a word
// that is added is asked with all its values. The world in which they are asked is world.ts's.

export interface Request {
  /** Unique: the request itself, as it is read. */
  readonly title: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD';
  readonly path: string;
  readonly body?: unknown;
}

type Values = Readonly<Record<string, readonly unknown[]>>;

const long = (letters: number): string => 'a'.repeat(letters);

/** Top level of POST /containers/create. */
const config: Values = {
  Hostname: ['box', 'box.example.org', '-box', 'bo_x', 'bo x', long(64), 'box\n', ''],
  Domainname: ['example.org', '-example', 'exa mple', 'a\nb'],
  User: ['nobody', '1000', '1000:1000', 'a:b:c', ''],
  Env: [['A=b'], ['A'], ['=b'], [''], [], null, 'A=b'],
  Cmd: [['true'], 'true', [], null, [''], 7],
  Entrypoint: [['true'], 'true', [], null, ['']],
  Image: ['box', 'box:latest', 'BOX', 'absent', 'absent:1', '', 'box@sha256:00', 'box:'],
  Labels: [{ a: 'b' }, { a: null }, { '': 'b' }, { a: 1 }, null, []],
  Volumes: [null, {}],
  WorkingDir: ['/tmp', 'tmp', '/not/there', '/a\u0000b', ''],
  StopSignal: ['SIGTERM', 'TERM', '15', 'sigterm', 'SIGRTMIN+3', 'NONE', 'SIGXX', '99', '0', ''],
  StopTimeout: [0, 10, -1, '10', null],
  Tty: [true, false, 'true', null, 1],
  OpenStdin: [true],
  NetworkDisabled: [false, null],
  ExposedPorts: [{ '80/tcp': {} }, { '80': {} }, { http: {} }, { '80/xyz': {} }, { '70000/tcp': {} }],
  Healthcheck: [null, { Test: ['NONE'] }, { Test: [] }, { Test: ['CMD', 'true'], Interval: 1 }],
  MacAddress: ['02:00:00:00:00:01', 'nonsense', ''],
  Unknown: ['word'],
};

/** HostConfig of POST /containers/create. */
const host: Values = {
  Memory: [0, 8388608, 1, -1, '8m', 1e20, 1.5],
  MemorySwap: [-1, 8388608, 0],
  MemoryReservation: [6291456, 1, -1],
  MemorySwappiness: [null, -1, 0, 60, 101, -2],
  NanoCpus: [500000000, -1, 100000000000000],
  CpuShares: [0, 512, 1, -1],
  CpuPeriod: [100000, 10, 2000000],
  CpuQuota: [50000, 10, -1],
  CpusetCpus: ['0', '0-1', 'x', '999', ''],
  PidsLimit: [null, 0, -1, 100, -2],
  OomKillDisable: [null, false, true],
  OomScoreAdj: [0, 500, 1001, -1001],
  Ulimits: [
    null,
    [{ Name: 'nofile', Soft: 10, Hard: 20 }],
    [{ Name: 'nofile', Soft: 20, Hard: 10 }],
    [{ Name: 'nonsense', Soft: 1, Hard: 1 }],
  ],
  RestartPolicy: [
    { Name: 'no' },
    { Name: '' },
    { Name: 'always' },
    { Name: 'unless-stopped' },
    { Name: 'on-failure', MaximumRetryCount: 3 },
    { Name: 'on-failure', MaximumRetryCount: -1 },
    { Name: 'always', MaximumRetryCount: 3 },
    { Name: 'sometimes' },
    null,
  ],
  AutoRemove: [true, false],
  NetworkMode: ['default', 'bridge', 'none', 'host', 'lan', 'absent', '', 'container:absent', 'container:'],
  IpcMode: ['', 'private', 'shareable', 'none', 'nonsense', 'container:absent'],
  PidMode: ['', 'nonsense', 'container:absent'],
  UTSMode: ['', 'nonsense'],
  UsernsMode: ['', 'host', 'nonsense'],
  CgroupnsMode: ['', 'private', 'nonsense'],
  Privileged: [true, false],
  ReadonlyRootfs: [true],
  CapAdd: [['NET_ADMIN'], ['CAP_NET_ADMIN'], ['net_admin'], ['ALL'], ['NONSENSE'], null, [], 'ALL'],
  CapDrop: [['NET_RAW'], ['ALL'], ['NONSENSE']],
  SecurityOpt: [['no-new-privileges'], ['seccomp=unconfined'], ['nonsense'], ['nonsense=1'], ['seccomp={']],
  Tmpfs: [{ '/t': '' }, { '/t': 'size=1m' }, { '/t': 'nonsense' }, { t: '' }, { '/': '' }, {}],
  ShmSize: [0, 1048576, -1],
  Sysctls: [{ 'net.ipv4.ip_forward': '1' }, { 'kernel.shmmax': '1000000' }, { 'kernel.hostname': 'x' }, {}],
  Dns: [['192.0.2.1'], ['nonsense'], ['192.0.2.1\n'], []],
  DnsSearch: [['example.org'], ['exa mple'], ['.'], ['a\nb']],
  DnsOptions: [['ndots:1'], ['a\nb']],
  ExtraHosts: [['a:192.0.2.1'], ['a'], ['a:nonsense'], ['a:host-gateway'], ['a\nb:192.0.2.1'], [':192.0.2.1']],
  GroupAdd: [['audio'], ['1000'], ['']],
  LogConfig: [
    { Type: 'json-file' },
    { Type: 'none' },
    { Type: '' },
    { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '2' } },
    { Type: 'json-file', Config: { 'max-size': '-1' } },
    { Type: 'json-file', Config: { 'max-file': '0' } },
    { Type: 'json-file', Config: { 'max-size': 'x' } },
    { Type: 'json-file', Config: { nonsense: '1' } },
    { Type: 'none', Config: { 'max-size': '1m' } },
    { Type: 'nonsense' },
  ],
  Isolation: ['', 'default', 'process', 'hyperv', 'nonsense'],
  Init: [true, false, null],
  ConsoleSize: [[0, 0], [24, 80], [1], 'x'],
  MaskedPaths: [null, [], ['/proc/keys']],
  ReadonlyPaths: [null, [], ['/proc/sys']],
  Runtime: ['', 'nonsense'],
  Unknown: ['word'],
};

/** Body of POST /networks/create. */
const network: Values = {
  Name: ['one', '', 'bridge', 'host', 'none', 'default', 'lan', 'a b', 'ä', long(128)],
  Driver: ['', 'bridge', 'nonsense', 'null', 'host'],
  CheckDuplicate: [true],
  Internal: [true],
  Attachable: [true],
  Ingress: [false],
  EnableIPv6: [false],
  Scope: ['', 'local', 'nonsense'],
  Labels: [{ a: 'b' }, null],
  Options: [{ 'com.docker.network.driver.mtu': '1400' }, { 'com.docker.network.driver.mtu': 'x' }, null],
  IPAM: [
    null,
    {},
    { Driver: 'default' },
    { Driver: 'nonsense' },
    { Config: [] },
    { Config: null },
    ...[
      ['SUBNET.0/24'],
      ['SUBNET.5/24'],
      ['nonsense'],
      ['SUBNET.0/33'],
      ['127.0.0.0/8'],
      ['0.0.0.0/8'],
      ['SUBNET.0/24', 'SUBNET.1'],
      ['SUBNET.0/24', '192.0.2.1'],
      ['SUBNET.0/24', undefined, 'SUBNET.128/25'],
      ['SUBNET.0/24', undefined, '192.0.2.0/24'],
      [undefined, 'SUBNET.1'],
    ].map(([Subnet, Gateway, IPRange]) => ({ Config: [{ Subnet, Gateway, IPRange }] })),
  ],
};

/** Body of POST /containers/up/exec. */
const exec: Values = {
  Cmd: [['true'], 'true', [], null, ['']],
  User: ['nobody', '1000:1000', ''],
  Env: [['A=b'], ['A'], ['=b'], null],
  WorkingDir: ['/tmp', 'tmp', ''],
  Tty: [true, null, 'x'],
  Privileged: [true],
  DetachKeys: ['ctrl-p,ctrl-q', 'nonsense', ''],
  AttachStdout: [true],
  ConsoleSize: [[24, 80]],
};

/** Body of POST /containers/idle/update. */
const update: Values = {
  Memory: [8388608, 1],
  CpuShares: [512],
  PidsLimit: [100, -1],
  RestartPolicy: [{ Name: 'always' }, { Name: 'sometimes' }],
};

function made(
  method: Request['method'],
  path: string,
  words: Values,
  body: (word: string, value: unknown) => unknown,
): Request[] {
  return Object.entries(words).flatMap(([word, values]) =>
    values.map((value) => ({
      title: `${method} ${path} ${word}=${JSON.stringify(value)}`,
      method,
      path,
      body: body(word, value),
    })),
  );
}

const plain = (text: string): Request => {
  const [method, path] = text.split(' ') as [Request['method'], string];
  return { title: text, method, path };
};

const states = ['idle', 'up', 'still', 'ended', 'absent'] as const;
const ofContainers = [
  'GET /containers/X/json',
  'GET /containers/X/top',
  'GET /containers/X/top?ps_args=nonsense',
  'GET /containers/X/changes',
  'GET /containers/X/logs',
  'GET /containers/X/logs?stdout=1',
  'GET /containers/X/logs?stdout=1&tail=nonsense',
  'GET /containers/X/logs?stdout=1&since=nonsense',
  'GET /containers/X/archive',
  'GET /containers/X/archive?path=/not/there',
  'HEAD /containers/X/archive?path=/bin',
  'POST /containers/X/resize?h=24&w=80',
  'POST /containers/X/resize?h=x&w=80',
  'POST /containers/X/rename',
  'POST /containers/X/rename?name=up',
  'POST /containers/X/rename?name=%20',
  'POST /containers/X/kill?signal=NONSENSE',
  'POST /containers/X/kill?signal=0',
  'POST /containers/X/kill?signal=99',
  'POST /containers/X/wait?condition=nonsense',
  'POST /containers/X/attach?stdout=1&logs=1',
];
/** These change a container's state, or do not: in an order that leaves each as it was. */
const changing = [
  'POST /containers/up/start',
  'POST /containers/up/unpause',
  'POST /containers/still/pause',
  'POST /containers/still/start',
  'POST /containers/idle/pause',
  'POST /containers/idle/unpause',
  'POST /containers/idle/stop',
  'POST /containers/ended/stop',
  'POST /containers/idle/kill',
  'POST /containers/ended/kill',
  'POST /containers/absent/start',
  'POST /containers/absent/stop',
  'POST /containers/absent/restart',
  'POST /containers/absent/pause',
  'POST /containers/absent/wait',
  'DELETE /containers/up',
  'DELETE /containers/still',
  'DELETE /containers/absent',
  'POST /containers/up/stop?t=nonsense',
];
const ofImages = [
  'GET /images/json',
  'GET /images/json?filters=nonsense',
  'GET /images/json?filters={"nonsense":["1"]}',
  'GET /images/box/json',
  'GET /images/absent/json',
  'GET /images/box:nonsense/json',
  'GET /images/box/history',
  'GET /images/absent/history',
  'GET /images/absent/get',
  'GET /images/get?names=absent',
  'POST /images/box/tag?repo=other&tag=1',
  'POST /images/box/tag?repo=OTHER&tag=1',
  'POST /images/box/tag?repo=other&tag=a/b',
  'POST /images/box/tag?repo=',
  'POST /images/box/tag',
  'POST /images/absent/tag?repo=other&tag=1',
  'DELETE /images/other:1',
  'DELETE /images/absent',
  'DELETE /images/box',
  'DELETE /images/other:absent',
  'POST /images/prune?filters={"nonsense":["1"]}',
  'POST /images/create',
  'POST /images/load',
  'GET /images/search?term=x',
];
const ofNetworks = [
  'GET /networks',
  'GET /networks/lan',
  'GET /networks/bridge',
  'GET /networks/absent',
  'GET /networks?filters={"nonsense":["1"]}',
  'DELETE /networks/bridge',
  'DELETE /networks/host',
  'DELETE /networks/none',
  'DELETE /networks/absent',
];
const others = [
  'GET /_ping',
  'GET /version',
  'GET /info',
  'GET /system/df',
  'GET /events?until=1',
  'GET /events?since=nonsense&until=1',
  'GET /events?until=1&filters=nonsense',
  'GET /events?until=1&filters={"nonsense":["1"]}',
  'GET /containers/json?filters={"nonsense":["1"]}',
  'GET /containers/json?filters={"status":["nonsense"]}',
  'GET /containers/json?limit=nonsense',
  'GET /containers/json?filters={"exited":["x"]}',
  'POST /containers/prune?filters={"nonsense":["1"]}',
  'GET /exec/absent/json',
  'POST /exec/absent/resize?h=1&w=1',
  'GET /plugins',
  'GET /swarm',
  'GET /nodes',
  'GET /services',
  'GET /tasks',
  'GET /secrets',
  'GET /configs',
  'GET /volumes',
  'GET /volumes/absent',
  'DELETE /volumes/absent',
  'GET /nonsense',
  'POST /nonsense',
  'DELETE /containers/json',
  'POST /containers/create',
  'POST /commit',
  'POST /commit?container=absent',
];

const connect = [
  ['lan', { Container: 'absent' }],
  ['absent', { Container: 'idle' }],
  ['lan', { Container: '' }],
  ['lan', {}],
  ['lan', { Container: 'up', EndpointConfig: { IPAMConfig: { IPv4Address: '192.0.2.9' } } }],
  ['lan', { Container: 'up', EndpointConfig: { IPAMConfig: { IPv4Address: 'nonsense' } } }],
  ['host', { Container: 'idle' }],
  ['none', { Container: 'idle' }],
] as const;

/** Everything that is asked, in the order in which it is asked. */
export const requests: readonly Request[] = [
  ...others.map(plain),
  ...made('POST', '/containers/create', config, (word, value) => ({ Image: 'box', Cmd: ['true'], [word]: value })),
  ...made('POST', '/containers/create HostConfig', host, (word, value) => ({
    Image: 'box',
    Cmd: ['true'],
    HostConfig: { [word]: value },
  })).map((request) => ({ ...request, path: '/containers/create' })),
  ...['one', 'up', '/one', '-one', 'o', 'a b', '', 'a/b'].map((name): Request => ({
    title: `POST /containers/create?name=${name}`,
    method: 'POST',
    path: `/containers/create?name=${encodeURIComponent(name)}`,
    body: { Image: 'box', Cmd: ['true'] },
  })),
  ...['linux', 'linux/amd64', 'windows', 'nonsense/x'].map((platform): Request => ({
    title: `POST /containers/create?platform=${platform}`,
    method: 'POST',
    path: `/containers/create?platform=${encodeURIComponent(platform)}`,
    body: { Image: 'box', Cmd: ['true'] },
  })),
  ...states.flatMap((state) => ofContainers.map((text) => plain(text.replace('/X', `/${state}`)))),
  ...states.map((state): Request => ({
    title: `POST /containers/${state}/exec`,
    method: 'POST',
    path: `/containers/${state}/exec`,
    body: { Cmd: ['true'] },
  })),
  ...made('POST', '/containers/up/exec', exec, (word, value) => ({ Cmd: ['true'], [word]: value })),
  ...made('POST', '/containers/idle/update', update, (word, value) => ({ [word]: value })),
  ...changing.map(plain),
  ...ofImages.map(plain),
  ...ofNetworks.map(plain),
  ...made('POST', '/networks/create', network, (word, value) => ({ Name: 'one', [word]: value })),
  ...['connect', 'disconnect'].flatMap((verb) =>
    connect.map(([name, body]): Request => ({
      title: `POST /networks/${name}/${verb} ${JSON.stringify(body)}`,
      method: 'POST',
      path: `/networks/${name}/${verb}`,
      body,
    })),
  ),
  plain('POST /containers/idle/start?detachKeys=nonsense'),
];
