// Owns process isolation: namespaces and control groups of the host's kernel, by a supervisor and an OCI runtime for
// each sandbox. What it keeps in memory it can make again from the sandboxes' directories. Does not own image layers'
// content or the network's host side.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  FrameType,
  isTwofoldError,
  newId,
  Tag,
  TlvWriter,
  TwofoldError,
  type ContainerId,
  type OciSpec,
  type SandboxId,
  type TlvReader,
} from '@twofold/contract';
import type { Cgroups } from '../../host/cgroup/index.ts';
import { runLayerVerb } from '../../host/layer-tool.ts';
import { compileSeccomp, hostSeccompArchitecture } from '../../host/seccomp.ts';
import { SupervisorConnection } from '../../host/supervisor-connection.ts';
import { startSupervisor } from '../../host/supervisor-process.ts';
import type {
  ContainerSpec,
  ContainerState,
  Driver,
  DriverEvent,
  ExecSpec,
  FileRequest,
  ProcessRef,
  ProcessStreams,
  RawProcess,
  ResolvedUser,
  RootfsLayer,
  SandboxInfo,
  SandboxSpec,
  StartOptions,
  ToolRun,
  Worker,
} from '../driver.ts';
import { EventQueue } from '../event-queue.ts';
import { attachThrough, networkRequest, resizeRequest, signalRequest, target, userOf } from '../supervised.ts';
import { namespacesOf, runtimeSpec } from './bundle.ts';
import { LayerMounts } from './layers.ts';
import { execRequest, prepareRequest, sandboxPlan, startRequest, wordedForCommand } from './messages.ts';
import { readProcesses } from './processes.ts';
import { exitOnDisk, planOf, Sandbox, socketOf } from './sandbox.ts';
import { runTool } from './tool.ts';
import { contentOf, discardWritable, hasWritable, makeWritable, writableOf } from './writable.ts';

export interface ProcessDriverOptions {
  /** Programs, absolute. */
  readonly supervisor: string;
  readonly runtime: string;
  readonly layerTool: string;
  readonly seccompTool: string;
  readonly runRoot: string;
  readonly cgroups: Cgroups;
  /** Below it sandboxes of filesAtRest are made. */
  readonly cgroupParent: string;
}

const supervisorTimeoutMs = 15_000;
const answerTimeoutMs = 5_000;
const requestTimeoutMs = 60_000;
const removalTimeoutMs = 30_000;

export class ProcessDriver implements Driver {
  readonly isolation = 'process';
  readonly endpointKind = 'veth';
  readonly accelerator = '';
  readonly #options: ProcessDriverOptions;
  readonly #layers: LayerMounts;
  readonly #events = new EventQueue();
  readonly #sandboxes = new Map<SandboxId, Sandbox>();

  constructor(options: ProcessDriverOptions) {
    this.#options = options;
    this.#layers = new LayerMounts(options.runRoot, options.layerTool);
  }

  async createSandbox(spec: SandboxSpec, signal: AbortSignal): Promise<SandboxInfo> {
    const { supervisor, runtime, cgroups } = this.#options;
    if (this.#sandboxes.has(spec.id)) throw new TwofoldError('conflict', 'The sandbox is already up.');
    await this.#layers.prepare();
    try {
      const own = cgroups.create(`${spec.cgroupPath}/supervisor`, 'tracking');
      const plan = sandboxPlan(spec, {
        socket: socketOf(spec.directory),
        runtime,
        cgroups: own,
        hybrid: cgroups.hybrid,
      });
      writeFileSync(planOf(spec.directory), plan, { mode: 0o600 });
      const pid = await startSupervisor(
        { program: supervisor, directory: spec.directory, timeoutMs: supervisorTimeoutMs },
        signal,
      );
      const sandbox = new Sandbox(spec.id, spec.directory, spec.cgroupPath, namespacesOf(spec));
      this.#sandboxes.set(spec.id, sandbox);
      await sandbox.watch(this.#events, signal);
      return { supervisorPid: pid, netnsPid: spec.network.mode === 'host' ? null : pid };
    } catch (error) {
      await this.deleteSandbox(spec.id, spec.directory);
      throw error;
    }
  }

  async configureNetwork(sandbox: SandboxId, spec: SandboxSpec, signal: AbortSignal): Promise<void> {
    if (spec.network.mode !== 'attached') return;
    await this.#need(sandbox).connection.request(FrameType.NETWORK, networkRequest(spec.network.interfaces), signal);
  }

  async createContainer(spec: ContainerSpec, signal: AbortSignal): Promise<ResolvedUser> {
    const sandbox = this.#need(spec.sandbox);
    const layers = await Promise.all(spec.rootfs.layers.map((layer) => this.#layers.mount(layer)));
    const reply = await sandbox.connection.request(
      FrameType.PREPARE,
      prepareRequest(
        spec,
        layers,
        await makeWritable(
          spec.rootfs.writableDirectory,
          spec.rootfs.inheritRoot === true ? (layers[0] ?? null) : null,
        ),
      ),
      signal,
    );
    sandbox.notePrepared(spec.id, {
      rootfs: reply.string(Tag.ROOTFS) ?? '',
      files: spec.files,
      modes: Object.fromEntries(reply.numbers(Tag.MODE).map((mode, index) => [spec.temporary![index]!, mode])),
      layers,
      writableDirectory: spec.rootfs.writableDirectory,
    });
    return userOf(reply);
  }

  async resolveUser(container: ProcessRef, user: string, signal: AbortSignal): Promise<ResolvedUser> {
    return userOf(await this.#ask(container, FrameType.RESOLVE_USER, target(container).string(Tag.USER, user), signal));
  }

  async startContainer(
    container: ProcessRef,
    spec: OciSpec,
    options: StartOptions,
    signal: AbortSignal,
  ): Promise<{ pid: number }> {
    const sandbox = this.#need(container.sandbox);
    const { rootfs, files, modes = {} } = sandbox.needPrepared(container.container);
    const cgroupPath = sandbox.cgroupOf(container.container);
    const seccompFilter = await this.#filterOf(spec);
    sandbox.noteFilter(container.container, seccompFilter);
    const config = runtimeSpec(spec, {
      container: container.container,
      rootfs,
      files,
      modes,
      cgroupPath,
      sandbox: sandbox.namespaces,
      hostPid: process.pid,
      seccompFilter,
    });
    const bundle = bundleOf(sandbox, container.container);
    mkdirSync(bundle, { recursive: true, mode: 0o700 });
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(config), { mode: 0o600 });
    const { cgroups } = this.#options;
    const payload = startRequest(container, config.process, options, {
      bundle,
      oomFile: cgroups.oomFile(cgroupPath),
      cgroup: cgroups.directory(cgroupPath),
    });
    try {
      const reply = await sandbox.connection.request(FrameType.START, payload, signal);
      return { pid: reply.number(Tag.PID) ?? 0 };
    } catch (error) {
      throw wordedForCommand(error, config.process);
    }
  }

  async #filterOf({ linux: { seccomp } }: OciSpec): Promise<Buffer | null> {
    return seccomp === undefined ? null : compileSeccomp(this.#options.seccompTool, seccomp, hostSeccompArchitecture());
  }

  async attach(
    container: ProcessRef,
    want: { stdin: boolean; stdout: boolean; stderr: boolean },
    signal: AbortSignal,
  ): Promise<ProcessStreams> {
    return attachThrough(this.#need(container.sandbox).connection, container, want, signal);
  }

  async exec(
    of: Required<ProcessRef>,
    spec: ExecSpec,
    want: { attached: boolean },
    signal: AbortSignal,
  ): Promise<{ pid: number; streams: ProcessStreams | null }> {
    const sandbox = this.#need(of.sandbox);
    const payload = execRequest(of, spec.process, {
      stdin: spec.stdin,
      attached: want.attached,
      cgroups: this.#options.cgroups.entrances(sandbox.cgroupOf(of.container)),
      filter: await this.#filterInUse(sandbox, of.container),
    });
    if (!want.attached)
      return {
        pid: (await sandbox.connection.request(FrameType.EXEC, payload, signal)).number(Tag.PID) ?? 0,
        streams: null,
      };
    const { reply, streams } = await sandbox.connection.openStreams(
      FrameType.EXEC,
      payload,
      { stdin: spec.stdin, output: true },
      signal,
    );
    return { pid: reply.number(Tag.PID) ?? 0, streams };
  }

  /** The container's seccomp filter, also in a daemon that did not start it. */
  async #filterInUse(sandbox: Sandbox, container: ContainerId): Promise<Buffer | null> {
    const known = sandbox.filterOf(container);
    if (known !== undefined) return known;
    const config = JSON.parse(readFileSync(join(bundleOf(sandbox, container), 'config.json'), 'utf8')) as OciSpec;
    const filter = await this.#filterOf(config);
    sandbox.noteFilter(container, filter);
    return filter;
  }

  async signal(process: ProcessRef, signal: number, all: boolean): Promise<void> {
    await this.#ask(process, FrameType.SIGNAL, signalRequest(process, signal, all));
  }

  async resize(process: ProcessRef, size: { rows: number; columns: number }): Promise<void> {
    await this.#ask(process, FrameType.RESIZE, resizeRequest(process, size));
  }

  async pause({ sandbox, container }: ProcessRef): Promise<void> {
    const path = this.#need(sandbox).cgroupOf(container);
    try {
      await this.#options.cgroups.freeze(path, AbortSignal.timeout(requestTimeoutMs));
    } catch (error) {
      await this.#options.cgroups.thaw(path);
      throw error;
    }
  }

  async resume({ sandbox, container }: ProcessRef): Promise<void> {
    await this.#options.cgroups.thaw(this.#need(sandbox).cgroupOf(container));
  }

  async processes({ sandbox, container }: ProcessRef): Promise<RawProcess[]> {
    return readProcesses(this.#options.cgroups.processes(this.#need(sandbox).cgroupOf(container)));
  }

  async files(container: ProcessRef, request: FileRequest, signal: AbortSignal): Promise<ToolRun> {
    const sandbox = this.#need(container.sandbox);
    const { rootfs, layers, writableDirectory } = sandbox.needPrepared(container.container);
    return runTool(
      sandbox.connection,
      request,
      { tool: this.#options.layerTool, root: rootfs, layers, upper: writableOf(writableDirectory).upper },
      signal,
    );
  }

  async filesAtRest(spec: ContainerSpec, request: FileRequest, signal: AbortSignal): Promise<ToolRun> {
    // A sandbox for the moment: what mounts and walks the files is then the same as for a running container.
    const id = newId<SandboxId>();
    // Among the others: one that a killed daemon leaves is then found and taken away at the next start.
    const directory = join(this.#options.runRoot, 'sb', id);
    const remove = async () => {
      await this.deleteSandbox(id, directory);
      await rm(directory, { recursive: true, force: true });
    };
    await mkdir(directory, { recursive: true, mode: 0o700 });
    try {
      await this.createSandbox(
        {
          id,
          namespace: 'files',
          directory,
          hostname: 'files',
          network: { mode: 'none' },
          machine: { memoryBytes: 0, cpus: 0 },
          cgroupPath: `${this.#options.cgroupParent}/${id}`,
          resources: {},
        },
        signal,
      );
      // Nothing runs, so nobody's user matters, and an image's broken passwd must not be in the way.
      await this.createContainer({ ...spec, sandbox: id, user: '0:0', files: [], log: null }, signal);
      const sandbox = this.#need(id);
      const { rootfs, layers } = sandbox.needPrepared(spec.id);
      return await runTool(
        sandbox.connection,
        request,
        { tool: this.#options.layerTool, root: rootfs, layers, upper: writableOf(spec.rootfs.writableDirectory).upper },
        signal,
        remove,
      );
    } catch (error) {
      await remove();
      throw error;
    }
  }

  async showLayer(spec: ContainerSpec, layer: RootfsLayer, path: string, signal: AbortSignal): Promise<void> {
    const state = (await this.#need(spec.sandbox).states(signal)).get(spec.id);
    if (state?.at !== 'running') throw new TwofoldError('container-not-running', 'The container is not running.');
    await runLayerVerb(
      this.#options.layerTool,
      ['show', await this.#layers.mount(layer), `${state.pid}:${spec.id}`, path],
      signal,
    );
  }

  discardWritable(writableDirectory: string, keep?: (path: string) => void): Promise<void> {
    return discardWritable(writableDirectory, keep);
  }

  contentAtRest(writableDirectory: string): Promise<number> {
    return contentOf(writableDirectory);
  }

  hasWritable(writableDirectory: string): Promise<boolean> {
    return hasWritable(writableDirectory);
  }

  async deleteContainer(container: ProcessRef): Promise<void> {
    const sandbox = this.#sandboxes.get(container.sandbox);
    if (sandbox === undefined) return;
    try {
      await sandbox.connection.request(FrameType.DELETE, target(container), AbortSignal.timeout(requestTimeoutMs));
    } catch (error) {
      if (!isTwofoldError(error, 'sandbox-gone')) throw error;
      // With its keeper killed too, nobody has ended what ran.
      await this.#options.cgroups.kill(sandbox.cgroupOf(container.container), AbortSignal.timeout(removalTimeoutMs));
    }
    sandbox.forgetPrepared(container.container);
    await this.#options.cgroups.remove(sandbox.cgroupOf(container.container), AbortSignal.timeout(removalTimeoutMs));
  }

  async deleteSandbox(id: SandboxId, directory: string): Promise<void> {
    const sandbox = this.#sandboxes.get(id) ?? Sandbox.fromDisk(id, directory);
    this.#sandboxes.delete(id);
    if (sandbox !== null) {
      sandbox.connection.takeOutput();
      await sandbox.letGo();
      const within = AbortSignal.timeout(removalTimeoutMs);
      await shutDown(directory);
      // Whether it answered or not: what is left of it is in its control groups.
      await this.#options.cgroups.kill(sandbox.cgroupPath, within);
      await this.#options.cgroups.remove(sandbox.cgroupPath, within);
    }
    await emptyDirectory(directory);
    await this.#layers.sweep();
  }

  async reconnect(
    id: SandboxId,
    directory: string,
    containers: readonly ContainerId[],
    signal: AbortSignal,
  ): Promise<{ alive: boolean; info: SandboxInfo | null; containers: ReadonlyMap<ContainerId, ContainerState> }> {
    const states = new Map<ContainerId, ContainerState>();
    for (const container of containers) {
      const status = exitOnDisk(directory, container);
      if (status !== null) states.set(container, { at: 'exited', status });
    }
    const sandbox = Sandbox.fromDisk(id, directory);
    if (sandbox === null) return { alive: false, info: null, containers: states };
    const within = AbortSignal.any([signal, AbortSignal.timeout(answerTimeoutMs)]);
    try {
      const pid = await sandbox.connection.pid(within);
      await this.#sandboxes.get(id)?.letGo();
      this.#sandboxes.set(id, sandbox);
      await sandbox.watch(this.#events, within);
      for (const [container, state] of await sandbox.states(within))
        if (containers.includes(container)) states.set(container, state);
      return {
        alive: true,
        info: { supervisorPid: pid, netnsPid: sandbox.namespaces.includes('network') ? pid : null },
        containers: states,
      };
    } catch (error) {
      await sandbox.letGo();
      this.#sandboxes.delete(id);
      if (!isTwofoldError(error, 'sandbox-gone')) throw error;
      return { alive: false, info: null, containers: states };
    }
  }

  watch(signal: AbortSignal): AsyncIterable<DriverEvent> {
    return this.#events.read(signal);
  }

  async workers(): Promise<Worker[]> {
    return [];
  }

  async endHard(ref: ProcessRef): Promise<boolean> {
    const sandbox = this.#sandboxes.get(ref.sandbox);
    if (sandbox === undefined) return false;
    await this.#options.cgroups.kill(sandbox.cgroupOf(ref.container), AbortSignal.timeout(removalTimeoutMs));
    return true;
  }

  releaseLayers(inUse: ReadonlySet<string>): Promise<void> {
    return this.#layers.unmountUnused(inUse);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#sandboxes.values()].map((sandbox) => sandbox.letGo()));
    this.#sandboxes.clear();
  }

  #need(id: SandboxId): Sandbox {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined) throw new TwofoldError('sandbox-gone', "The container's sandbox is not up.");
    return sandbox;
  }

  #ask(
    process: ProcessRef,
    type: FrameType,
    payload: TlvWriter,
    signal: AbortSignal = AbortSignal.timeout(requestTimeoutMs),
  ): Promise<TlvReader> {
    return this.#need(process.sandbox).connection.request(type, payload, signal);
  }
}

/** For the runtime, and for later daemons to read what a container was started with. */
const bundleOf = (sandbox: Sandbox, container: ContainerId): string => join(sandbox.directory, `bundle.${container}`);

/** Asks it to end, if it is there to be asked. */
async function shutDown(directory: string): Promise<void> {
  const connection = new SupervisorConnection(socketOf(directory));
  try {
    await connection.request(FrameType.SHUTDOWN, new TlvWriter(), AbortSignal.timeout(answerTimeoutMs));
    await connection.gone(AbortSignal.timeout(answerTimeoutMs));
  } catch (error) {
    if (!(error instanceof TwofoldError)) throw error;
  } finally {
    connection[Symbol.dispose]();
  }
}

async function emptyDirectory(directory: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  await Promise.all(names.map((name) => rm(join(directory, name), { recursive: true, force: true })));
}
