// Owns what the front door may ask of the engine: plain commands and plain answers. No request, response or HTTP status
// is known here, and no driver is seen. Isolation is a property of a container, everything else is the same for both.

import type { Readable, Writable } from 'node:stream';
import type {
  AdapterId,
  ComputeProcess,
  ContainerConfig,
  ContainerId,
  Digest,
  ExecCreateRequest,
  ExecId,
  HostConfig,
  ImageId,
  Isolation,
  NetworkId,
} from '@twofold/contract';
import type { Aid } from '../drivers/driver.ts';
import type { Images, SealedLayer } from '../images/images.ts';
import type { Networks } from '../networks/networks.ts';
import type { TraceStep } from './trace.ts';

/**
 * What a container is doing; each state carries exactly its own data. Times are Unix milliseconds.
 *
 * created ─start▶ running ─exit▶ exited ─start▶ running     running ⇄ paused     exited ─policy▶ restarting ─▶ running
 *     any ─remove▶ removing ─▶ (gone)                           any ─damage▶ dead
 */
export type ContainerLife =
  /** `error` and `exitCode` (127, 126, …) tell of a first start that failed; '' and 0 before any. */
  | { readonly at: 'created'; readonly error: string; readonly exitCode: number }
  | { readonly at: 'running'; readonly pid: number; readonly startedAt: number }
  | { readonly at: 'paused'; readonly pid: number; readonly startedAt: number }
  | { readonly at: 'restarting'; readonly startedAt: number; readonly finishedAt: number; readonly exitCode: number }
  | {
      readonly at: 'exited';
      readonly startedAt: number;
      readonly finishedAt: number;
      readonly exitCode: number;
      readonly oomKilled: boolean;
      readonly error: string;
    }
  | { readonly at: 'removing' }
  | { readonly at: 'dead'; readonly error: string };

/** What a caller may ask for: `default` is the isolation that the daemon's settings name. */
export type RequestedIsolation = 'default' | Isolation;

/** A network adapter: a container's place on a switch, or what could be one. */
export interface Adapter {
  readonly id: AdapterId;
  /** Not unique. */
  readonly name: string;
  /** Null: connected to none, and not seen inside. The switch may have been removed since. */
  readonly network: { readonly id: NetworkId; readonly name: string } | null;
  /** Static ones; '' is for the switch to choose. */
  readonly address: string;
  readonly mac: string;
  readonly aliases: readonly string[];
  /** What it has while the container runs, and had in its last run. */
  readonly lease: {
    readonly name: string;
    readonly address: string;
    readonly prefixLength: number;
    readonly gateway: string;
    readonly mac: string;
  } | null;
}

/** What is not given stays. An empty `network` is none, an empty `address` or `mac` the switch's choice. */
export interface AdapterChange {
  readonly name?: string;
  readonly network?: string;
  readonly address?: string;
  readonly mac?: string;
  readonly aliases?: readonly string[];
}

export interface ContainerRecord {
  readonly id: ContainerId;
  /** Without a leading slash. */
  readonly name: string;
  /** RFC 3339 with nanoseconds. */
  readonly created: string;
  readonly isolation: Isolation;
  /** What the caller asked for: `default` shows as RuntimeType Default in PowerShell until it is converted. */
  readonly requestedIsolation: RequestedIsolation;
  readonly image: ImageId;
  /** As it was named when created. */
  readonly imageName: string;
  /** Merged with the image's configuration: what runs. */
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly life: ContainerLife;
  readonly restartCount: number;
  /**
   * `adapters`: those that it has. `none`: only a loopback. `host`: the host's own. Without `adapters` the list is
   * empty.
   */
  readonly networking: 'adapters' | 'none' | 'host';
  /** In their order: connected ones are eth0, eth1, … inside. */
  readonly adapters: readonly Adapter[];
  readonly sealedLayers: readonly SealedLayer[];
  /** Layers of the image, base first. */
  readonly diffIds: readonly Digest[];
  readonly machine: { readonly memoryBytes: number; readonly cpus: number } | null;
  readonly accelerator: string;
  readonly logPath: string;
  readonly execIds: readonly ExecId[];
}

export interface ExecRecord {
  readonly id: ExecId;
  readonly container: ContainerId;
  readonly request: ExecCreateRequest;
  readonly life:
    | { readonly at: 'created' }
    | { readonly at: 'running'; readonly pid: number }
    | { readonly at: 'exited'; readonly pid: number; readonly exitCode: number };
}

/**
 * A client's hold on a process. The front door reads `output`, writes `stdin`, and disposes when the client hangs up.
 */
export interface Attachment extends AsyncDisposable {
  readonly tty: boolean;
  readonly stdin: Writable | null;
  /** Complete and in order; the source waits while the consumer does. Ends with the process (or the sandbox). */
  readonly output: AsyncIterable<{ stream: 'stdout' | 'stderr'; data: Buffer }>;
}

export interface LogLine {
  readonly stream: 'stdout' | 'stderr';
  /** RFC 3339 with nanoseconds, UTC. */
  readonly time: string;
  /** With its newline, or without where the output had none; byte-exact. */
  readonly data: Buffer;
}

export interface EngineEvent {
  readonly type: 'container' | 'image' | 'network' | 'daemon';
  /**
   * Docker's words: create, start, die, stop, kill, destroy, exec_create: cmd, exec_start: cmd, exec_die, attach,
   * detach, pause, unpause, rename, oom, resize, commit, export, update, top, copy, connect, disconnect; `convert` is
   * Twofold's.
   */
  readonly action: string;
  readonly actor: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Unix time in nanoseconds. */
  readonly timeNano: bigint;
}

export interface ConversionPlan {
  readonly from: Isolation;
  readonly to: Isolation;
  /** Sentences: what is carried over, what changes, and why it is refused (empty when it isn't). */
  readonly carries: readonly string[];
  readonly changes: readonly string[];
  readonly refusals: readonly string[];
}

/** What `stat` of a path in a container tells: Docker's X-Docker-Container-Path-Stat. */
export interface PathStat {
  readonly name: string;
  readonly size: number;
  /** Go's os.FileMode bits. */
  readonly mode: number;
  readonly mtime: string;
  readonly linkTarget: string;
}

/**
 * How a session of PowerShell is opened in a container: by an exec of this command, which speaks remoting on its
 * standard streams.
 */
export interface PowerShellServer {
  /**
   * `twofold`: ours, shown in the container for it. `image`: the image's own pwsh. `none`: there is neither, and the
   * command is the image's shell, for a terminal.
   */
  readonly server: 'twofold' | 'image' | 'none';
  readonly command: readonly string[];
  /** NAME=value, to be given to the exec. */
  readonly environment: readonly string[];
}

export interface Containers {
  /**
   * `isolation`: '', 'default', 'process', 'hyperv' in any case; otherwise `invalid-argument`. Unknown image:
   * `image-not-found`.
   */
  create(
    command: {
      name?: string;
      config: ContainerConfig;
      hostConfig: HostConfig;
      networks?: readonly { reference: string; address?: string; mac?: string; aliases?: readonly string[] }[];
    },
    signal: AbortSignal,
  ): Promise<{ id: ContainerId; warnings: string[] }>;
  /**
   * By name (with or without a leading slash), id, GUID (with dashes or not, any case) or unique prefix. Throws
   * `container-not-found` (`No such container: X`), `ambiguous-prefix`.
   */
  find(reference: string): ContainerRecord;
  list(): ContainerRecord[];
  /** Bytes of the writable layer (`docker ps -s`). */
  size(reference: string, signal: AbortSignal): Promise<number>;
  /** Resolves with the steps that it took. */
  start(reference: string, signal: AbortSignal): Promise<readonly TraceStep[]>;
  /**
   * Stop signal, then SIGKILL after the time limit (seconds; negative waits for ever; undefined = the container's own
   * or 10). `already-in-that-state` when not running.
   */
  stop(reference: string, options: { timeoutSeconds?: number; signal?: string }, signal: AbortSignal): Promise<void>;
  restart(reference: string, options: { timeoutSeconds?: number; signal?: string }, signal: AbortSignal): Promise<void>;
  /** `name` with or without SIG, or a number. After a SIGKILL it is not running when this resolves. */
  kill(reference: string, name: string, signal: AbortSignal): Promise<void>;
  pause(reference: string): Promise<void>;
  unpause(reference: string): Promise<void>;
  rename(reference: string, name: string): Promise<void>;
  /** When it resolves the name is free. By force it waits for no stop, start or reader of its files. */
  remove(reference: string, options: { force: boolean; volumes: boolean }, signal: AbortSignal): Promise<void>;
  /** The wait begins with the call (throws at once for an unknown container): nothing after it is missed. */
  wait(
    reference: string,
    condition: 'not-running' | 'next-exit' | 'removed',
    signal: AbortSignal,
  ): Promise<{ statusCode: number; error?: string }>;
  /**
   * Resolves at once. Before start the streams are pending (input is buffered to its high-water mark) and connect
   * before the process runs: nothing is missed.
   */
  attach(
    reference: string,
    want: { stdin: boolean; stdout: boolean; stderr: boolean },
    signal: AbortSignal,
  ): Promise<Attachment>;
  resize(reference: string, size: { rows: number; columns: number }): Promise<void>;
  /**
   * Ends at the log's present end, or follows until the container has ended. `tail`: lines from the end. Times are Unix
   * nanoseconds.
   */
  logs(
    reference: string,
    options: {
      stdout: boolean;
      stderr: boolean;
      follow: boolean;
      tail: number | 'all';
      since?: bigint;
      until?: bigint;
    },
    signal: AbortSignal,
  ): AsyncIterable<LogLine>;
  top(reference: string, psArguments: string): Promise<{ titles: string[]; processes: string[][] }>;
  changes(reference: string, signal: AbortSignal): Promise<{ path: string; kind: 'modified' | 'added' | 'deleted' }[]>;
  /** Docker's archive verbs. `path-not-found` when it isn't there. */
  statPath(reference: string, path: string, signal: AbortSignal): Promise<PathStat>;
  readArchive(
    reference: string,
    path: string,
    signal: AbortSignal,
  ): Promise<{ stat: PathStat; tar: AsyncIterable<Buffer> }>;
  writeArchive(
    reference: string,
    path: string,
    tar: Readable,
    options: { noOverwriteDirNonDir: boolean; copyUidGid: boolean },
    signal: AbortSignal,
  ): Promise<void>;
  export(reference: string, signal: AbortSignal): Promise<AsyncIterable<Buffer>>;
  commit(
    reference: string,
    options: {
      reference: string | null;
      message: string;
      author: string;
      changes: readonly string[];
      pause: boolean;
      config?: ContainerConfig;
    },
    signal: AbortSignal,
  ): Promise<ImageId>;
  planConversion(reference: string, to: RequestedIsolation): ConversionPlan;
  /**
   * The container is stopped, or `container-running`. Converting to what it is already changes only
   * `requestedIsolation`.
   */
  convert(reference: string, to: RequestedIsolation, signal: AbortSignal): Promise<ConversionPlan>;
  /** Makes a running container ready for sessions of PowerShell. */
  preparePowerShell(reference: string, signal: AbortSignal): Promise<PowerShellServer>;
  /** Resources of `docker update`, and restart policy. */
  update(reference: string, change: { hostConfig: Partial<HostConfig> }): Promise<{ warnings: string[] }>;
  /** These five only while it does not run (`not-implemented`). An unknown adapter is `adapter-not-found`. */
  addAdapter(reference: string, wanted: AdapterChange): Promise<Adapter>;
  changeAdapter(reference: string, adapter: string, change: AdapterChange): Promise<Adapter>;
  removeAdapter(reference: string, adapter: string): Promise<void>;
  /**
   * Docker's words: one endpoint for each network. Connecting to one that it is on changes the first adapter there;
   * disconnecting takes all away that are on it.
   */
  connect(reference: string, network: string, change: AdapterChange): Promise<void>;
  disconnect(reference: string, network: string): Promise<void>;
  prune(fits: (record: ContainerRecord) => boolean): Promise<{ deleted: ContainerId[]; reclaimedBytes: number }>;
}

export interface Execs {
  create(container: string, request: ExecCreateRequest): Promise<ExecId>;
  find(id: string): ExecRecord;
  /** Throws what a start is refused for before anything is done: there is no such exec, its container does not run. */
  startable(id: string): ExecRecord;
  /**
   * Null when detached. What fails here has begun: the exec has ended then, with 127 for a command that isn't there and
   * with 126 for all else.
   */
  start(
    id: string,
    options: { detach: boolean; consoleSize?: { rows: number; columns: number } },
    signal: AbortSignal,
  ): Promise<Attachment | null>;
  resize(id: string, size: { rows: number; columns: number }): Promise<void>;
}

export interface EngineInfo {
  readonly id: string;
  readonly defaultIsolation: Isolation;
  readonly accelerator: string;
  readonly cgroupVersion: '1' | '2';
  readonly kernelVersion: string;
  readonly operatingSystem: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly dataRoot: string;
  /** Of containers that name none; 0 is no limit. */
  readonly logLimits: { readonly bytes: number; readonly files: number };
  readonly runtimeVersion: string;
  readonly warnings: readonly string[];
}

export interface LostThing {
  /** Below lost+found, as it was below the data root: `containers/<id>`. */
  readonly path: string;
  readonly bytes: number;
  /** Unix milliseconds. */
  readonly changedAt: number;
}

export interface Engine {
  readonly containers: Containers;
  readonly execs: Execs;
  readonly images: Images;
  readonly networks: Pick<Networks, 'list' | 'find' | 'create' | 'remove' | 'endpoints'>;
  /**
   * Events from `since` (kept: the last 1,000) and, unless `until` has passed, the coming ones. Times are Unix
   * nanoseconds.
   */
  events(range: { since?: bigint; until?: bigint }, signal: AbortSignal): AsyncIterable<EngineEvent>;
  /** Read from the running system. */
  compute(): Promise<ComputeProcess[]>;
  /**
   * Ends a worker hard, by its container's id in any form. When it resolves, everybody sees the container as ended.
   * Throws `compute-process-not-found`.
   */
  stopCompute(id: string, signal: AbortSignal): Promise<void>;
  info(): EngineInfo;
  /** What was found on the disk without a row (lost+found); nothing of it is used. */
  lostThings(): Promise<LostThing[]>;
  /** Deletes what was found without a row; gives what there was. */
  emptyLost(): Promise<LostThing[]>;
  /** Utility VMs that wait for containers, and how many should now; null where there are no such VMs. */
  pool(): { readonly waiting: number; readonly wanted: number } | null;
  /** What drivers have to make starts faster, and how that is. */
  aids(): readonly Aid[];
}
