// Owns the contract that both isolations keep. Terms first:
//
//   sandbox    what is isolated as one: a set of namespaces (process) or a utility VM (hyperv). Has one supervisor on
//   the
//              host, which outlives every daemon, and nothing of it remains when the supervisor is gone.
//   container  a root file system and a process tree in a sandbox. Docker and PowerShell use one sandbox for one
//   container.
//   exec       a further process in a container, known by (container, exec id).
//
//   sandbox:    absent ─createSandbox▶ up ─deleteSandbox▶ absent
//   container:  absent ─createContainer▶ prepared ─startContainer▶ running ─its process ends▶ exited ─deleteContainer▶
//   absent
//
// A driver knows no image, row, request or name of Twofold's: it is given paths and an OCI specification. What it
// cannot do it refuses with `unsupported`; a silent success fails tests/conformance. Clean-up is idempotent and works
// from the disk alone.

import type { Writable } from 'node:stream';
import type { ContainerId, ExecId, Isolation, OciProcess, OciSpec, SandboxId } from '@twofold/contract';

export interface SandboxSpec {
  readonly id: SandboxId;
  /** The caller's name space of ids: `docker`, `k8s.io`. */
  readonly namespace: string;
  /** The sandbox's private directory (0700); the driver keeps there what it needs after a restart. Exists. */
  readonly directory: string;
  readonly hostname: string;
  readonly domainname?: string;
  /** `none`: only a loopback. `host`: the host's own (process only). */
  readonly network:
    | { readonly mode: 'attached'; readonly interfaces: readonly SandboxInterface[] }
    | { readonly mode: 'none' | 'host' };
  /** What the utility VM has for its containers, at least; a driver without a VM ignores it. */
  readonly machine: { readonly memoryBytes: number; readonly cpus: number };
  readonly sysctls?: Readonly<Record<string, string>>;
  /** Path below the cgroup root: `/twofold/<id>`. */
  readonly cgroupPath: string;
  /** Limits that hold for the container; a VM driver puts them on the worker too, plus its named overhead. */
  readonly resources: SandboxResources;
}

export interface SandboxResources {
  readonly memoryBytes?: number;
  readonly cpus?: number;
  readonly pids?: number;
}

export interface SandboxInterface {
  /** Name inside: `eth0`. */
  readonly name: string;
  /** Name of the host's end (veth or TAP), at most 15 bytes. */
  readonly hostName: string;
  /** `02:42:…`, lower case. */
  readonly mac: string;
  /** CIDR: `10.88.0.2/16`. */
  readonly addresses: readonly string[];
  readonly gateway?: string;
  /**
   * Its routes are in this table, asked for what is sent from its addresses. Absent: in the main one, and the gateway
   * is the default route.
   */
  readonly table?: number;
  readonly mtu: number;
}

/**
 * A read-only layer: an EROFS image file. Overlay whiteouts and opaque marks are inside it as the kernel wants them.
 */
export interface RootfsLayer {
  /** Absolute path of the .erofs file. */
  readonly path: string;
  /** A short unique name (≤ 32 characters, [a-z0-9]) for its mount point. */
  readonly name: string;
}

/**
 * What a container sees as `/`: layers (top first) below one writable layer in the given directory (upper/ and work/,
 * or scratch.ext4).
 */
export interface RootfsPlan {
  readonly layers: readonly RootfsLayer[];
  /** The container's private directory (0700, exists); the driver makes the writable layer of its kind inside. */
  readonly writableDirectory: string;
  readonly readOnly: boolean;
  /**
   * The top layer is a sealed one: a fresh writable layer's `/` has its mode, owner and time. Otherwise it is root's,
   * 0755, whatever an image's layer says.
   */
  readonly inheritRoot?: boolean;
}

/** A file that the engine provides in every container (/etc/hosts, /etc/hostname, /etc/resolv.conf). */
export interface ProvidedFile {
  /** Absolute, inside the container. */
  readonly path: string;
  /** The file on the host. `process` binds it; `hyperv` carries its content over at start. */
  readonly source: string;
  readonly mode: number;
}

export interface ContainerSpec {
  readonly id: ContainerId;
  readonly sandbox: SandboxId;
  readonly rootfs: RootfsPlan;
  readonly files: readonly ProvidedFile[];
  /** Made when missing: where the image has volumes. */
  readonly directories?: readonly string[];
  /** Where the specification has a tmpfs with the mode of the directory that it lies over. */
  readonly temporary?: readonly string[];
  /** The process's, made when missing; refused where it is no directory. */
  readonly workingDirectory?: string;
  /** Docker's form: '', 'name', 'uid', 'name:group', 'uid:gid'. */
  readonly user: string;
  readonly log: LogPlan | null;
}

/** Where a container's output is kept; 0 is no limit. */
export interface LogPlan {
  readonly path: string;
  readonly maxBytes: number;
  readonly maxFiles: number;
  /** With less room on the log's file system nothing is written. */
  readonly minimumFreeBytes: number;
}

/** A user as the container's own /etc/passwd and /etc/group have it. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly home: string;
}

export interface StartOptions {
  /** The container's process can be given input; otherwise it reads end of file. */
  readonly openStdin: boolean;
  /** End of the first attached client's input is the end of the process's. */
  readonly stdinOnce: boolean;
}

export interface ExitStatus {
  /** 0–255; 128 + signal where a signal ended it. */
  readonly code: number;
  readonly signal?: number;
  readonly oomKilled: boolean;
  /** Unix time in milliseconds. */
  readonly finishedAt: number;
}

export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

/** A client's hold on a process's streams. Disposing lets go; the process runs on. */
export interface ProcessStreams extends AsyncDisposable {
  /** Back-pressure as Writable has it; `end()` is end of file. Null when not asked for. */
  readonly stdin: Writable | null;
  /** In order, complete; ends after all output has come. The source waits while the consumer does. */
  readonly output: AsyncIterable<OutputChunk>;
  /** Resolves after output has ended; rejects with `sandbox-gone` when the supervisor vanished. */
  readonly exit: Promise<ExitStatus>;
}

export interface ProcessRef {
  readonly sandbox: SandboxId;
  readonly container: ContainerId;
  /** Absent: the container's main process. */
  readonly exec?: ExecId;
}

export interface ExecSpec {
  readonly process: OciProcess;
  readonly stdin: boolean;
}

/** One process as the kernel that runs it tells: the raw texts of /proc/PID/{stat,status,cmdline}. */
export interface RawProcess {
  readonly pid: number;
  readonly stat: string;
  readonly status: string;
  /** Arguments, without the NULs. */
  readonly cmdline: readonly string[];
}

export type ContainerState =
  | { readonly at: 'prepared' }
  | { readonly at: 'running'; readonly pid: number; readonly startedAt: number }
  | { readonly at: 'exited'; readonly status: ExitStatus };

export type DriverEvent =
  | {
      readonly kind: 'exited';
      readonly sandbox: SandboxId;
      readonly container: ContainerId;
      readonly exec?: ExecId;
      readonly status: ExitStatus;
    }
  | { readonly kind: 'oom'; readonly sandbox: SandboxId; readonly container: ContainerId }
  /** The supervisor or the worker ended without telling an exit: what ran in it is dead. */
  | { readonly kind: 'sandbox-gone'; readonly sandbox: SandboxId; readonly reason: string };

/**
 * Verbs of the layer tool that work on a container's files (docs/layers.md). All read or write a tar or text stream.
 */
export type FileRequest =
  /** Tar of the file or tree at `path`, entries named from its base name. */
  | { readonly verb: 'pack'; readonly path: string }
  /** Extracts the tar on stdin into the directory `path`. */
  | {
      readonly verb: 'unpack';
      readonly path: string;
      readonly noOverwriteDirNonDir: boolean;
      readonly copyUidGid: boolean;
    }
  /** One JSON line: {name,size,mode,mtime,linkTarget} of `path`. */
  | { readonly verb: 'stat'; readonly path: string }
  /** Tar of the whole root file system. */
  | { readonly verb: 'export' }
  /** What the writable layer changed, NUL-terminated `A /path`, `C /path`, `D /path`. */
  | { readonly verb: 'changes' }
  /** Bytes of the writable layer's files and symlinks: a decimal number. */
  | { readonly verb: 'size' }
  /** The writable layer as a layer tar: `oci` for commit, `private` (lossless) for conversion. */
  | { readonly verb: 'diff'; readonly form: 'oci' | 'private' };

export interface ToolRun extends AsyncDisposable {
  readonly stdin: Writable;
  readonly stdout: AsyncIterable<Buffer>;
  /** Resolves when the tool has ended well; otherwise rejects with the tool's own code and message. */
  readonly done: Promise<void>;
}

export interface SandboxInfo {
  /** The host's process id of the supervisor. */
  readonly supervisorPid: number;
  /**
   * Process id whose network namespace takes the veth's inner end; null where the endpoint is a TAP made by the
   * supervisor.
   */
  readonly netnsPid: number | null;
  /**
   * How a VM was come by: one that waited, a fork, a clone of the template, or a boot. For those who ask why a start
   * was slow.
   */
  readonly origin?: 'waiting' | 'fork' | 'clone' | 'boot';
}

/** A running utility VM as the host sees it. */
export interface Worker {
  readonly sandbox: SandboxId;
  readonly pid: number;
  /** The kernel's name of it: `vmwp`. */
  readonly name: string;
  /** Name of the user it runs as, from the running system. */
  readonly user: string;
}

/** Something that makes starts faster, and that a driver can do without. */
export interface Aid {
  /** As `docker info` calls it. */
  readonly name: string;
  readonly state: 'ready' | 'making' | 'failed' | 'off';
  /** Of one that failed: the time until it is tried again. */
  readonly againInMs?: number;
}

/** Tells what went wrong where nobody waits for it: a constant sentence, facts beside it. */
export type Warn = (sentence: string, facts: Readonly<Record<string, unknown>>) => void;

export interface Driver extends AsyncDisposable {
  readonly isolation: Isolation;
  /**
   * `veth` ends are moved into `netnsPid`'s namespace; `tap` links are made by the supervisor and only need a bridge.
   */
  readonly endpointKind: 'veth' | 'tap';
  /** What `info` and `inspect` show: '' (no VM), 'kvm' or 'tcg'. */
  readonly accelerator: string;

  /**
   * Of the VMs that belong to nobody yet: how many wait for containers, and how many should now. Absent where there are
   * no VMs.
   */
  readonly pool?: { readonly waiting: number; readonly wanted: number };
  /** What it has to make starts faster, and how that is. */
  readonly aids?: readonly Aid[];

  /**
   * Begins, in the background, to make what later starts of containers like `ordinary` profit from. Once, when nothing
   * of a former daemon's is left.
   */
  warmUp?(warn: Warn, ordinary: OciSpec): void;
  /** Starts the supervisor. A VM goes on booting after this resolves; what needs it waits for it. */
  createSandbox(spec: SandboxSpec, signal: AbortSignal): Promise<SandboxInfo>;
  /** Names, addresses and routes inside. The host's ends are in place. */
  configureNetwork(sandbox: SandboxId, spec: SandboxSpec, signal: AbortSignal): Promise<void>;
  /** Makes the root file system and resolves the user. */
  createContainer(spec: ContainerSpec, signal: AbortSignal): Promise<ResolvedUser>;
  resolveUser(container: ProcessRef, user: string, signal: AbortSignal): Promise<ResolvedUser>;
  /**
   * Resolves with the process id (of the kernel that runs it) once exec has succeeded; rejects with `command-not-found`
   * (127) or `command-not-executable` (126).
   */
  startContainer(
    container: ProcessRef,
    spec: OciSpec,
    options: StartOptions,
    signal: AbortSignal,
  ): Promise<{ pid: number }>;
  /** Legal from createSandbox on; then nothing of the output is missed. */
  attach(
    container: ProcessRef,
    want: { stdin: boolean; stdout: boolean; stderr: boolean },
    signal: AbortSignal,
  ): Promise<ProcessStreams>;
  /** `streams` is null for a detached exec. */
  exec(
    target: Required<ProcessRef>,
    spec: ExecSpec,
    want: { attached: boolean },
    signal: AbortSignal,
  ): Promise<{ pid: number; streams: ProcessStreams | null }>;
  signal(process: ProcessRef, signal: number, everyProcess: boolean): Promise<void>;
  resize(process: ProcessRef, size: { rows: number; columns: number }): Promise<void>;
  pause(container: ProcessRef): Promise<void>;
  resume(container: ProcessRef): Promise<void>;
  processes(container: ProcessRef): Promise<RawProcess[]>;
  /** Files of a container whose sandbox is up. */
  files(container: ProcessRef, request: FileRequest, signal: AbortSignal): Promise<ToolRun>;
  /** Files of a container that is not running: mounts (or boots) what is needed and takes it away again. */
  filesAtRest(spec: ContainerSpec, request: FileRequest, signal: AbortSignal): Promise<ToolRun>;
  /**
   * Makes a layer visible, read-only, at `path` in a running container: a name in its /dev, so that no layer, archive
   * or commit ever has it. It goes with the container's process. Idempotent; a container has one such layer at most.
   */
  showLayer(spec: ContainerSpec, layer: RootfsLayer, path: string, signal: AbortSignal): Promise<void>;
  /**
   * Takes this driver's kind of writable layer away (after it has been sealed as a layer); another kind's in the same
   * directory stays. Idempotent. `keep`: what holds something that was written is given to it instead of deleted.
   */
  discardWritable(writableDirectory: string, keep?: (path: string) => void): Promise<void>;
  /**
   * The same that `size` tells, of a writable layer that no container runs on, without a run of the tool. Null where
   * only that can tell.
   */
  contentAtRest(writableDirectory: string): Promise<number | null>;
  /** Whether there is a writable layer of this driver's kind. */
  hasWritable(writableDirectory: string): Promise<boolean>;
  /**
   * Lets go of the layers that are mounted on the host and that `inUse` does not name (RootfsLayer.name); their files
   * can then really go.
   */
  releaseLayers(inUse: ReadonlySet<string>): Promise<void>;
  /** Idempotent. */
  deleteContainer(container: ProcessRef): Promise<void>;
  /**
   * Ends everything in it and waits until it is gone. Idempotent; works from the disk alone. With `discard` nobody will
   * look at its containers' writable layers again, nor were they deleted before: nothing needs to be written out.
   */
  deleteSandbox(id: SandboxId, directory: string, options?: { readonly discard?: boolean }): Promise<void>;

  /** After a restart of the daemon: what became of this sandbox's containers. Also resumes events of a living one. */
  reconnect(
    id: SandboxId,
    directory: string,
    containers: readonly ContainerId[],
    signal: AbortSignal,
  ): Promise<{ alive: boolean; info: SandboxInfo | null; containers: ReadonlyMap<ContainerId, ContainerState> }>;
  /** Every event of every sandbox from now on, in order. One consumer: the engine's supervisor. */
  watch(signal: AbortSignal): AsyncIterable<DriverEvent>;
  /** Read from the running system, never from a table. Empty for a driver without VMs. */
  workers(): Promise<Worker[]>;
  /**
   * Kills the container from outside (a VM as a whole) and waits until it is dead; nothing inside is asked, and how it
   * ended is told as an event. False where there is none.
   */
  endHard(container: ProcessRef): Promise<boolean>;
}
