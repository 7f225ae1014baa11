// Owns the shapes of Docker's Engine API (1.47) that cross the wire: requests and answers, named and spelt as Docker
// does. Source: https://docs.docker.com/reference/api/engine/version/v1.47/ . Extensions of Twofold's are marked;
// nothing here checks anything (api/ checks requests with valibot).

export interface ContainerConfig {
  Hostname?: string;
  Domainname?: string;
  User?: string;
  AttachStdin?: boolean;
  AttachStdout?: boolean;
  AttachStderr?: boolean;
  ExposedPorts?: Record<string, object>;
  Tty?: boolean;
  OpenStdin?: boolean;
  StdinOnce?: boolean;
  Env?: string[];
  Cmd?: string[];
  Entrypoint?: string[];
  Image?: string;
  Labels?: Record<string, string>;
  Volumes?: Record<string, object>;
  WorkingDir?: string;
  StopSignal?: string;
  StopTimeout?: number;
  NetworkDisabled?: boolean;
  MacAddress?: string;
  Shell?: string[];
  OnBuild?: string[];
  ArgsEscaped?: boolean;
}

export interface HostConfig {
  Binds?: string[];
  NetworkMode?: string;
  PortBindings?: Record<string, { HostIp?: string; HostPort?: string }[]>;
  RestartPolicy?: { Name: '' | 'no' | 'always' | 'unless-stopped' | 'on-failure'; MaximumRetryCount?: number };
  AutoRemove?: boolean;
  Isolation?: string;
  CapAdd?: string[];
  CapDrop?: string[];
  Privileged?: boolean;
  ReadonlyRootfs?: boolean;
  SecurityOpt?: string[];
  Tmpfs?: Record<string, string>;
  ShmSize?: number;
  Sysctls?: Record<string, string>;
  Ulimits?: { Name: string; Soft: number; Hard: number }[];
  Memory?: number;
  MemoryReservation?: number;
  MemorySwap?: number;
  NanoCpus?: number;
  CpuShares?: number;
  CpuPeriod?: number;
  CpuQuota?: number;
  CpusetCpus?: string;
  PidsLimit?: number | null;
  OomScoreAdj?: number;
  OomKillDisable?: boolean;
  Init?: boolean;
  Dns?: string[];
  DnsSearch?: string[];
  DnsOptions?: string[];
  ExtraHosts?: string[];
  LogConfig?: { Type?: string; Config?: Record<string, string> };
  ConsoleSize?: [number, number];
  IpcMode?: string;
  PidMode?: string;
  UTSMode?: string;
  CgroupnsMode?: string;
  GroupAdd?: string[];
  MaskedPaths?: string[];
  ReadonlyPaths?: string[];
  PublishAllPorts?: boolean;
  Mounts?: unknown[];
  VolumesFrom?: string[];
  Devices?: unknown[];
  Links?: string[];
  UsernsMode?: string;
  Runtime?: string;
}

export interface EndpointSettings {
  IPAMConfig?: { IPv4Address?: string } | null;
  Aliases?: string[] | null;
  MacAddress?: string;
}

export interface ContainerCreateRequest extends ContainerConfig {
  HostConfig?: HostConfig;
  NetworkingConfig?: { EndpointsConfig?: Record<string, EndpointSettings> };
}

export interface ExecCreateRequest {
  AttachStdin?: boolean;
  AttachStdout?: boolean;
  AttachStderr?: boolean;
  DetachKeys?: string;
  Tty?: boolean;
  Env?: string[];
  Cmd?: string[];
  Privileged?: boolean;
  User?: string;
  WorkingDir?: string;
  ConsoleSize?: [number, number];
}

/** An OCI image's configuration as Docker's inspect shows it (config.json's `config`). */
export interface ImageConfig {
  User?: string;
  ExposedPorts?: Record<string, object>;
  Env?: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  Volumes?: Record<string, object>;
  WorkingDir?: string;
  Labels?: Record<string, string>;
  StopSignal?: string;
  Shell?: string[];
  /** Instructions for builds upon the image; kept, nothing here runs them. */
  OnBuild?: string[];
  /** Kept; nothing here runs it. */
  Healthcheck?: Healthcheck;
}

/** Times in nanoseconds; what is absent is inherited. */
export interface Healthcheck {
  Test?: string[];
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
}

/** Extension: elements of `GET /containers/{name}/adapters`. Empty texts are for what there isn't. */
export interface NetworkAdapter {
  /** A GUID, lower case. */
  readonly Id: string;
  /** Not unique. */
  readonly Name: string;
  readonly ContainerId: string;
  readonly ContainerName: string;
  readonly SwitchId: string;
  readonly SwitchName: string;
  readonly StaticMacAddress: string;
  readonly StaticIPAddress: string;
  readonly Aliases: readonly string[];
  /** This and the following: what it has while the container runs. */
  readonly InterfaceName: string;
  readonly MacAddress: string;
  readonly IPAddress: string;
  readonly PrefixLength: number;
  readonly Gateway: string;
}

/**
 * Extension: what `POST /containers/{name}/adapters` and `PATCH …/{adapter}` take. What is not given stays; an empty
 * text takes a value away.
 */
export interface NetworkAdapterRequest {
  Name?: string;
  Switch?: string;
  StaticMacAddress?: string;
  StaticIPAddress?: string;
  Aliases?: string[];
}

/** Extension: `GET /twofold/compute` */
export interface ComputeProcess {
  /** The container's GUID in capitals, with dashes. */
  Id: string;
  Name: string;
  Owner: 'VMMS';
  Type: 'Container';
  /** Host process id of the worker. */
  Pid: number;
  /** The user that the worker runs as. */
  User: string;
}
