// Owns the shape of Docker's create and exec bodies as far as Twofold carries them out. Keys that it doesn't know are
// dropped here; refusals.ts has looked at all of them before. Keys are in their own case already, and nulls are gone
// (json.ts). Titles are the structures' names in Docker's own source, which its messages show.

import * as v from 'valibot';
import type { Reading } from '../json.ts';
import { configWords, hostWords } from './refusals.ts';

const text = v.optional(v.string());
const flag = v.optional(v.boolean());
const whole = v.optional(v.pipe(v.number(), v.safeInteger()));
const texts = v.optional(v.array(v.string()));
const textMap = v.optional(v.record(v.string(), v.string()));
const objectMap = v.optional(v.record(v.string(), v.looseObject({})));
/** Docker takes a single string for a list of one. */
const words = v.optional(
  v.union(
    [
      v.array(v.string()),
      v.pipe(
        v.string(),
        v.transform((one) => [one]),
      ),
    ],
    'expected a list of strings',
  ),
);

export const configEntries = {
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  ExposedPorts: objectMap,
  Tty: flag,
  OpenStdin: flag,
  StdinOnce: flag,
  Env: texts,
  Cmd: words,
  Entrypoint: words,
  Image: text,
  Labels: textMap,
  Volumes: objectMap,
  WorkingDir: text,
  StopSignal: text,
  StopTimeout: whole,
  MacAddress: text,
  Shell: words,
  OnBuild: texts,
  ArgsEscaped: flag,
} as const;

export const containerConfig = v.object(configEntries);

const restartPolicy = v.optional(
  v.pipe(
    v.object({
      Name: v.optional(
        v.picklist(
          ['', 'no', 'always', 'unless-stopped', 'on-failure'],
          'invalid restart policy: use no, always, unless-stopped or on-failure',
        ),
        '',
      ),
      MaximumRetryCount: whole,
    }),
    v.title('container.RestartPolicy'),
  ),
);

/** What Twofold cannot do is left unset (refusals.ts); an empty list stays one, for who looks at what was asked. */
const nothing = v.optional(v.array(v.never()));

/** What `docker update` may change too. */
export const resourceEntries = {
  Memory: whole,
  MemoryReservation: whole,
  MemorySwap: whole,
  NanoCpus: whole,
  CpuShares: whole,
  CpuPeriod: whole,
  CpuQuota: whole,
  CpusetCpus: text,
  PidsLimit: whole,
  OomKillDisable: flag,
  Ulimits: v.optional(
    v.array(
      v.pipe(
        v.object({
          Name: v.string(),
          Soft: v.pipe(v.number(), v.safeInteger()),
          Hard: v.pipe(v.number(), v.safeInteger()),
        }),
        v.title('units.Ulimit'),
      ),
    ),
  ),
  RestartPolicy: restartPolicy,
} as const;

export const hostConfig = v.pipe(
  v.object({
    ...resourceEntries,
    NetworkMode: text,
    AutoRemove: flag,
    Isolation: text,
    CapAdd: words,
    CapDrop: words,
    Privileged: flag,
    ReadonlyRootfs: flag,
    SecurityOpt: texts,
    Tmpfs: textMap,
    ShmSize: whole,
    Sysctls: textMap,
    OomScoreAdj: whole,
    Init: flag,
    Dns: texts,
    DnsSearch: texts,
    DnsOptions: texts,
    ExtraHosts: texts,
    LogConfig: v.optional(v.pipe(v.object({ Type: text, Config: textMap }), v.title('container.LogConfig'))),
    ConsoleSize: v.optional(v.tuple([v.number(), v.number()])),
    IpcMode: text,
    PidMode: text,
    UTSMode: text,
    CgroupnsMode: text,
    UsernsMode: text,
    Runtime: text,
    GroupAdd: texts,
    MaskedPaths: texts,
    ReadonlyPaths: texts,
    Binds: nothing,
    VolumesFrom: nothing,
    Links: nothing,
    PortBindings: v.optional(v.record(v.string(), v.array(v.object({ HostIp: text, HostPort: text })))),
    Devices: nothing,
    DeviceCgroupRules: nothing,
    DeviceRequests: nothing,
    BlkioWeightDevice: nothing,
    BlkioDeviceReadBps: nothing,
    BlkioDeviceWriteBps: nothing,
    BlkioDeviceReadIOps: nothing,
    BlkioDeviceWriteIOps: nothing,
  }),
  v.title('container.HostConfig'),
);

const unread = v.optional(v.unknown());

/** What refusals.ts refuses of it is not looked into. */
export const endpoint = v.pipe(
  v.looseObject({
    IPAMConfig: v.optional(
      v.pipe(
        v.looseObject({ IPv4Address: text, IPv6Address: unread, LinkLocalIPs: unread }),
        v.title('network.EndpointIPAMConfig'),
      ),
    ),
    Aliases: texts,
    MacAddress: text,
    Links: unread,
    GwPriority: unread,
    DriverOpts: unread,
  }),
  v.title('network.EndpointSettings'),
);

export type EndpointSettings = v.InferOutput<typeof endpoint>;

/** Loose: refusals.ts wants to see every key. */
export const createRequest = v.pipe(
  v.looseObject({
    ...configEntries,
    HostConfig: v.optional(
      v.pipe(
        v.looseObject({}),
        v.title('container.HostConfig'),
        v.metadata({ readAs: hostConfig, words: hostWords } satisfies Reading),
      ),
      {},
    ),
    NetworkingConfig: v.optional(
      v.pipe(
        v.object({ EndpointsConfig: v.optional(v.record(v.string(), endpoint), {}) }),
        v.title('network.NetworkingConfig'),
      ),
      {},
    ),
  }),
  v.title('container.CreateRequest'),
  v.metadata({ words: configWords } satisfies Reading),
);
export type CreateRequest = v.InferOutput<typeof createRequest>;

export const execRequest = v.pipe(
  v.object({
    AttachStdin: flag,
    AttachStdout: flag,
    AttachStderr: flag,
    DetachKeys: text,
    Tty: flag,
    Env: texts,
    Cmd: texts,
    Privileged: flag,
    User: text,
    WorkingDir: text,
    ConsoleSize: v.optional(v.tuple([v.number(), v.number()])),
  }),
  v.title('container.ExecOptions'),
);

export const execStart = v.pipe(
  v.object({
    Detach: v.optional(v.boolean(), false),
    Tty: v.optional(v.boolean(), false),
    ConsoleSize: v.optional(v.tuple([v.number(), v.number()])),
  }),
  v.title('container.ExecStartOptions'),
);
