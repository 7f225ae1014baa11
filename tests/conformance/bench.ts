// Owns the place in which one driver is tried: roots of its own, specifications to start from, and the account of what
// is left over.

import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { newId, type ContainerId, type ExecId, type OciProcess, type OciSpec, type SandboxId } from '@twofold/contract';
import type {
  ContainerSpec,
  Driver,
  ProcessRef,
  ProcessStreams,
  RootfsLayer,
  SandboxInterface,
  SandboxSpec,
} from '../../packages/daemon/src/drivers/driver.ts';

/** What a driver brings to be tried by the suite. */
export interface Candidate {
  readonly name: string;
  readonly root: string;
  readonly layers: readonly RootfsLayer[];
  readonly cgroupParent: string;
  /** A driver over the same roots; called again after the one before has been disposed or dropped. */
  open(): Promise<Driver>;
  /** Everything of the candidate's that still is: processes, mounts, control groups, links. */
  leftovers(): Promise<string[]>;
  /** How long anything may take. */
  readonly timeoutMs: number;
  /** How much is piped through a container. */
  readonly volumeBytes: number;
  /** What it cannot do here, with the suite's words. */
  readonly lacks?: readonly 'memory limit'[];
}

export interface Container {
  readonly ref: ProcessRef;
  readonly sandbox: SandboxSpec;
  readonly spec: ContainerSpec;
}

export const deadline = (candidate: Candidate): AbortSignal => AbortSignal.timeout(candidate.timeoutMs);

export function describeContainer(
  candidate: Candidate,
  change: {
    user?: string;
    memoryBytes?: number;
    writableOf?: ContainerSpec;
    interfaces?: readonly SandboxInterface[];
  } = {},
): Container {
  const id = newId<ContainerId>();
  const sandbox = id as string as SandboxId;
  const directory = join(candidate.root, 'run', 'sb', id);
  const own = join(candidate.root, 'containers', id);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  mkdirSync(join(own, 'writable'), { recursive: true, mode: 0o700 });
  return {
    ref: { sandbox, container: id },
    sandbox: {
      id: sandbox,
      namespace: 'conformance',
      directory,
      hostname: 'conform',
      network: change.interfaces === undefined ? { mode: 'none' } : { mode: 'attached', interfaces: change.interfaces },
      machine: { memoryBytes: 512 << 20, cpus: 1 },
      cgroupPath: `${candidate.cgroupParent}/${id}`,
      resources: change.memoryBytes === undefined ? {} : { memoryBytes: change.memoryBytes },
    },
    spec: {
      id,
      sandbox,
      files: [],
      user: change.user ?? '',
      rootfs: {
        layers: candidate.layers,
        writableDirectory: change.writableOf?.rootfs.writableDirectory ?? join(own, 'writable'),
        readOnly: false,
      },
      log: { path: join(own, 'container.log'), maxBytes: 0, maxFiles: 1, minimumFreeBytes: 0 },
    },
  };
}

export function processOf(args: string[], change: Partial<OciProcess> = {}): OciProcess {
  const capabilities = [
    'CAP_CHOWN',
    'CAP_DAC_OVERRIDE',
    'CAP_FOWNER',
    'CAP_KILL',
    'CAP_SETGID',
    'CAP_SETUID',
    'CAP_NET_BIND_SERVICE',
    'CAP_SYS_CHROOT',
    'CAP_MKNOD',
  ];
  return {
    user: { uid: 0, gid: 0 },
    args,
    env: ['PATH=/bin', 'HOME=/root', 'TERM=xterm'],
    cwd: '/',
    capabilities: {
      bounding: capabilities,
      effective: capabilities,
      inheritable: [],
      permitted: capabilities,
      ambient: [],
    },
    noNewPrivileges: false,
    oomScoreAdj: 0,
    ...change,
  };
}

export function specOf(container: Container, process: OciProcess): OciSpec {
  const memory = container.sandbox.resources.memoryBytes;
  return {
    ociVersion: '1.0.2',
    process,
    root: { path: 'rootfs' },
    hostname: container.sandbox.hostname,
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      {
        destination: '/dev',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
      },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
      },
      {
        destination: '/dev/shm',
        type: 'tmpfs',
        source: 'shm',
        options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
      },
      { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
    ],
    linux: {
      namespaces: [{ type: 'mount' }, { type: 'pid' }, { type: 'network' }, { type: 'ipc' }, { type: 'uts' }],
      cgroupsPath: container.sandbox.cgroupPath,
      resources: { ...(memory === undefined ? {} : { memory: { limit: memory, swap: memory } }), pids: { limit: 256 } },
    },
  };
}

/** Makes sandbox and container. */
export async function prepare(candidate: Candidate, driver: Driver, container: Container): Promise<void> {
  const { netnsPid } = await driver.createSandbox(container.sandbox, deadline(candidate));
  plug(container.sandbox, netnsPid);
  await driver.createContainer(container.spec, deadline(candidate));
  await driver.configureNetwork(container.ref.sandbox, container.sandbox, deadline(candidate));
}

/** What the engine's networks do on the host before a driver is asked to configure them. TAPs are there already. */
function plug({ network }: SandboxSpec, netnsPid: number | null): void {
  if (network.mode !== 'attached' || netnsPid === null) return;
  for (const { name, hostName, mac } of network.interfaces) {
    execFileSync('ip', [
      'link',
      'add',
      'name',
      hostName,
      'type',
      'veth',
      'peer',
      'name',
      name,
      'address',
      mac,
      'netns',
      String(netnsPid),
    ]);
    execFileSync('ip', ['link', 'set', 'dev', hostName, 'up']);
  }
}

export interface Started {
  readonly container: Container;
  readonly streams: ProcessStreams;
  readonly pid: number;
}

/** Makes, attaches to all streams and starts. */
export async function run(
  candidate: Candidate,
  driver: Driver,
  args: string[],
  options: { process?: Partial<OciProcess>; stdin?: boolean; stdinOnce?: boolean; container?: Container } = {},
): Promise<Started> {
  const container = options.container ?? describeContainer(candidate);
  await prepare(candidate, driver, container);
  const streams = await driver.attach(
    container.ref,
    { stdin: options.stdin ?? false, stdout: true, stderr: true },
    deadline(candidate),
  );
  const { pid } = await driver.startContainer(
    container.ref,
    specOf(container, processOf(args, options.process)),
    { openStdin: options.stdin ?? false, stdinOnce: options.stdinOnce ?? true },
    deadline(candidate),
  );
  return { container, streams, pid };
}

export async function collect(streams: ProcessStreams): Promise<{ stdout: Buffer; stderr: Buffer }> {
  const parts: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
  for await (const { stream, data } of streams.output) parts[stream].push(data);
  return { stdout: Buffer.concat(parts.stdout), stderr: Buffer.concat(parts.stderr) };
}

export async function remove(driver: Driver, container: Container): Promise<void> {
  await driver.deleteContainer(container.ref).catch(() => undefined);
  await driver.deleteSandbox(container.ref.sandbox, container.sandbox.directory);
}

export function execOf(container: Container): Required<ProcessRef> {
  return { ...container.ref, exec: newId<ExecId>() };
}
