// Owns hyperv isolation: a utility VM for each sandbox, booted and spoken to by a supervisor. What it keeps in memory
// it can make again from the sandboxes' directories. Does not own image layers, the switches' side of the network, nor
// what the guest does with a request (native/agent).

import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import {
  FrameType,
  Tag,
  TlvReader,
  TlvWriter,
  TwofoldError,
  isTwofoldError,
  newId,
  type ContainerId,
  type OciSpec,
  type SandboxId,
} from '@twofold/contract';
import { openCgroups, type Cgroups } from '../../host/cgroup/index.ts';
import { exitOf } from '../../host/conversation.ts';
import { parseProcessList } from '../../host/process-list.ts';
import { runQmp } from '../../host/qmp.ts';
import { collect } from '../../host/collect.ts';
import { answerLimitBytes } from '../../host/layer-tool.ts';
import { compileSeccomp } from '../../host/seccomp.ts';
import { SupervisorConnection } from '../../host/supervisor-connection.ts';
import { findWorkers } from '../../host/workers.ts';
import type { Settings } from '../../settings.ts';
import type {
  Aid,
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
  Warn,
  Worker,
} from '../driver.ts';
import { writeProcess } from '../process-part.ts';
import {
  attachThrough,
  execDetached,
  networkRequest,
  resizeRequest,
  signalRequest,
  stateOf,
  target,
  userOf,
} from '../supervised.ts';
import type { BackOffLimits } from './back-off.ts';
import { dropSpareDisk, prepareContainer, startProcess } from './container.ts';
import { extendLayers } from './disks.ts';
import { SandboxEvents } from './events.ts';
import { contentOfExt4 } from './ext4-size.ts';
import { outputLimitOf, runGuestTool, toolWords } from './guest-tool.ts';
import { thisMachine, type Accelerator } from './machine.ts';
import { readNotes, writeNotes } from './notes.ts';
import { emptyDisk, guestPlaces, hypervParts, sandboxParts, writableParts } from './places.ts';
import type { Rehearsal } from './rehearsal.ts';
import { chooseAccelerator, endSandbox, workerGroup } from './sandbox.ts';
import { sizeFor } from './size.ts';
import { Vms } from './vms.ts';

const requestTimeoutMs = 60_000;
const followTimeoutMs = 10_000;
const killTimeoutMs = 10_000;
/** What makes starts faster and has failed is made anew: soon at first, every ten minutes at last. */
const retryLimits: BackOffLimits = { firstMs: 1_000, mostMs: 600_000, wellMs: 600_000 };

/** What is remembered of a living sandbox. */
interface Living {
  readonly directory: string;
  readonly connection: SupervisorConnection;
  /** Settled once the guest has been told what holds for all of it. */
  readonly configured: Promise<void>;
  /** Ends the following of its events. */
  readonly closing: AbortController;
}

export class HypervDriver implements Driver {
  readonly isolation = 'hyperv';
  readonly endpointKind = 'tap';
  readonly accelerator: Accelerator;
  readonly #settings: Settings;
  readonly #cgroups: Cgroups;
  readonly #events = new SandboxEvents();
  readonly #sandboxes = new Map<SandboxId, Living>();
  readonly #vms: Vms;

  private constructor(settings: Settings, accelerator: Accelerator, cgroups: Cgroups, retry: BackOffLimits) {
    this.#settings = settings;
    this.accelerator = accelerator;
    this.#cgroups = cgroups;
    this.#vms = new Vms({ settings, accelerator, cgroups, retry });
  }

  /** Reads which accelerator set-up found. */
  static async open(
    settings: Settings,
    cgroups: Cgroups = openCgroups(),
    retry: BackOffLimits = retryLimits,
  ): Promise<HypervDriver> {
    return new HypervDriver(settings, await chooseAccelerator(settings), cgroups, retry);
  }

  /** `uname -r` in every guest; '' before set-up. */
  async kernelRelease(): Promise<string> {
    return (await readFile(hypervParts(this.#settings.libRoot).kernelRelease, 'utf8').catch(() => '')).trim();
  }

  get pool(): { waiting: number; wanted: number } {
    return this.#vms.pool;
  }

  get aids(): Aid[] {
    return this.#vms.aids;
  }

  async createSandbox(spec: SandboxSpec, signal: AbortSignal): Promise<SandboxInfo> {
    if (this.accelerator === 'tcg' && !this.#settings.allowEmulation)
      throw new TwofoldError(
        'forbidden',
        'Hyper-V containers would run under software emulation here, which is not a security boundary, and the settings forbid it.',
      );
    if (this.#sandboxes.has(spec.id)) throw new TwofoldError('conflict', 'The sandbox is already up.');
    const sized = { ...spec, machine: sizeFor(spec.machine, this.#settings.machine, availableParallelism()) };
    const { supervisorPid, connection, configured, origin } = await this.#vms.take(sized, signal);
    try {
      await this.#adopt(
        spec.id,
        { directory: spec.directory, connection, configured, closing: new AbortController() },
        signal,
      );
      return { supervisorPid, netnsPid: null, origin };
    } catch (error) {
      await this.deleteSandbox(spec.id, spec.directory);
      throw error;
    }
  }

  warmUp(warn: Warn, ordinary: OciSpec): void {
    this.#vms.warmUp(warn, () => this.#rehearsal(ordinary));
  }

  /** Resolves when the template is there, or can't be had. */
  warm(): Promise<boolean> {
    return this.#vms.warm;
  }

  /** Resolves when VMs can be forked, or it is known that they can't. */
  forkable(): Promise<boolean> {
    return this.#vms.forkable();
  }

  async configureNetwork(sandbox: SandboxId, spec: SandboxSpec, signal: AbortSignal): Promise<void> {
    if (spec.network.mode !== 'attached') return;
    await this.#request(sandbox, FrameType.NETWORK, networkRequest(spec.network.interfaces), signal);
  }

  async createContainer(spec: ContainerSpec, signal: AbortSignal): Promise<ResolvedUser> {
    const { directory, connection } = this.#need(spec.sandbox);
    const notes = await readNotes(directory);
    if (notes === null) throw new TwofoldError('sandbox-gone', "The sandbox's notes are gone.");
    if (Object.keys(notes.layers).length > 0)
      throw new TwofoldError('unsupported', 'A utility VM holds one container, for now.');
    await this.#guest(spec.sandbox, signal);
    const { spare, ...kept } = notes;
    const takesSpare = spare !== undefined && !(await this.hasWritable(spec.rootfs.writableDirectory));
    if (takesSpare) await rename(spare, writableParts(spec.rootfs.writableDirectory).scratch);
    else if (spare !== undefined) await dropSpareDisk(connection, signal);
    const { user, exchange } = await prepareContainer(
      connection,
      spec,
      takesSpare ? null : emptyDisk(this.#settings.dataRoot),
      signal,
    );
    await writeNotes(directory, { ...kept, layers: { [spec.id]: exchange.partitions.length } });
    if (spare !== undefined && !takesSpare) await rm(spare, { force: true });
    return user;
  }

  async resolveUser(container: ProcessRef, user: string, signal: AbortSignal): Promise<ResolvedUser> {
    return userOf(
      await this.#request(container.sandbox, FrameType.RESOLVE_USER, target(container).string(Tag.USER, user), signal),
    );
  }

  async startContainer(
    container: ProcessRef,
    spec: OciSpec,
    options: StartOptions,
    signal: AbortSignal,
  ): Promise<{ pid: number }> {
    const filter = await this.#filterOf(spec);
    const { connection, directory } = await this.#guest(container.sandbox, signal);
    const pid = await startProcess(connection, container, spec, options, filter, signal).finally(() =>
      this.#vms.settled(container.sandbox),
    );
    // An exec has the container's filter, also after the daemon has been started anew.
    const notes = await readNotes(directory);
    if (notes !== null)
      await writeNotes(directory, { ...notes, ...(filter === null ? {} : { seccomp: filter.toString('base64') }) });
    return { pid };
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
    const { connection, directory } = this.#need(of.sandbox);
    const filter = (await readNotes(directory))?.seccomp;
    const payload = target(of).flag(Tag.STDIN, spec.stdin);
    writeProcess(payload, spec.process, filter === undefined ? null : Buffer.from(filter, 'base64'));
    if (!want.attached)
      return {
        pid:
          (await connection.request(FrameType.EXEC, payload.number(Tag.FLAGS, execDetached), signal)).number(Tag.PID) ??
          0,
        streams: null,
      };
    const { reply, streams } = await connection.openStreams(
      FrameType.EXEC,
      payload,
      { stdin: spec.stdin, output: true },
      signal,
    );
    return { pid: reply.number(Tag.PID) ?? 0, streams };
  }

  async signal(process: ProcessRef, signal: number, all: boolean): Promise<void> {
    await this.#request(process.sandbox, FrameType.SIGNAL, signalRequest(process, signal, all));
  }

  async resize(process: ProcessRef, size: { rows: number; columns: number }): Promise<void> {
    await this.#request(process.sandbox, FrameType.RESIZE, resizeRequest(process, size));
  }

  async pause(container: ProcessRef): Promise<void> {
    await this.#request(container.sandbox, FrameType.PAUSE, target(container));
  }

  async resume(container: ProcessRef): Promise<void> {
    await this.#request(container.sandbox, FrameType.RESUME, target(container));
  }

  async processes(container: ProcessRef): Promise<RawProcess[]> {
    const { connection } = this.#need(container.sandbox);
    await using run = await runGuestTool(
      connection,
      ['processes', guestPlaces(container.container).processList],
      answerLimitBytes.processes,
      AbortSignal.timeout(requestTimeoutMs),
    );
    run.stdin.end();
    return parseProcessList(await collect(run.stdout, answerLimitBytes.processes));
  }

  async files(container: ProcessRef, request: FileRequest, signal: AbortSignal): Promise<ToolRun> {
    const { connection, directory } = this.#need(container.sandbox);
    const layers = (await readNotes(directory))?.layers[container.container];
    if (layers === undefined) throw new TwofoldError('container-not-found', 'The container has not been prepared.');
    return runGuestTool(connection, toolWords(container.container, layers, request), outputLimitOf(request), signal);
  }

  async filesAtRest(spec: ContainerSpec, request: FileRequest, signal: AbortSignal): Promise<ToolRun> {
    // A VM for the moment: only guests mount what a guest has written.
    const id = newId<SandboxId>();
    // Among the others: one that a killed daemon leaves is then found and taken away at the next start.
    const directory = join(this.#settings.runRoot, 'sb', id);
    const remove = async () => {
      await this.deleteSandbox(id, directory);
      await rm(directory, { recursive: true, force: true });
    };
    await mkdir(directory, { recursive: true, mode: 0o700 });
    try {
      const { machine, cgroupParent } = this.#settings;
      await this.createSandbox(
        {
          id,
          namespace: 'files',
          directory,
          hostname: 'files',
          network: { mode: 'none' },
          machine,
          cgroupPath: `${cgroupParent}/${id}`,
          resources: {},
        },
        signal,
      );
      this.#vms.settled(id); // no process will be
      // Nothing runs, so nobody's user matters, and an image's broken passwd must not be in the way. No file of the
      // engine's is put in place.
      await this.createContainer({ ...spec, sandbox: id, user: '0:0', files: [], directories: [], log: null }, signal);
      const run = await this.files({ sandbox: id, container: spec.id }, request, signal);
      return {
        stdin: run.stdin,
        stdout: run.stdout,
        done: run.done,
        [Symbol.asyncDispose]: async () => {
          await run[Symbol.asyncDispose]();
          await remove();
        },
      };
    } catch (error) {
      await remove();
      throw error;
    }
  }

  async showLayer(spec: ContainerSpec, layer: RootfsLayer, path: string, signal: AbortSignal): Promise<void> {
    const { directory, connection } = this.#need(spec.sandbox);
    const pid = (await connection.request(FrameType.STATE, new TlvWriter(), signal))
      .lists(Tag.CONTAINER)
      .find((one) => one.string(Tag.CONTAINER) === spec.id)
      ?.number(Tag.PID);
    const notes = await readNotes(directory);
    if (pid === undefined || notes === null)
      throw new TwofoldError('container-not-running', 'The container is not running.');
    let shown = notes.shown;
    if (shown === undefined) {
      // An older version gave a VM each layer as often as the image names it: the disk there is another.
      if (notes.layers[spec.id] !== spec.rootfs.layers.length)
        throw new TwofoldError(
          'unsupported',
          'The container was started by an older version of Twofold; restart it first.',
        );
      const { files, commands, added } = await extendLayers(spec.rootfs, layer, sandboxParts(directory).shown);
      await runQmp(connection, 'give the VM a further layer', files, commands, signal);
      shown = added;
      await writeNotes(directory, { ...notes, shown });
    }
    await using run = await runGuestTool(
      connection,
      [
        'show',
        '--disk',
        'layers',
        String(shown.offset),
        String(shown.length),
        `${pid}:${guestPlaces(spec.id).cgroup}`,
        path,
      ],
      answerLimitBytes.show,
      signal,
    );
    run.stdin.end();
    await collect(run.stdout, answerLimitBytes.show);
    await run.done;
  }

  async discardWritable(writableDirectory: string, keep?: (path: string) => void): Promise<void> {
    const { scratch, layers } = writableParts(writableDirectory);
    if (keep !== undefined && (await this.hasWritable(writableDirectory))) keep(scratch);
    for (const file of [scratch, layers]) await rm(file, { force: true });
  }

  /** Layers are disks of VMs: the host mounts none. */
  async releaseLayers(): Promise<void> {}

  async contentAtRest(writableDirectory: string): Promise<number | null> {
    return (await this.hasWritable(writableDirectory)) ? contentOfExt4(writableParts(writableDirectory).scratch) : 0;
  }

  async hasWritable(writableDirectory: string): Promise<boolean> {
    return access(writableParts(writableDirectory).scratch).then(
      () => true,
      () => false,
    );
  }

  async deleteContainer(container: ProcessRef): Promise<void> {
    const living = this.#sandboxes.get(container.sandbox);
    if (living === undefined) return;
    try {
      await living.connection.request(FrameType.DELETE, target(container), AbortSignal.timeout(requestTimeoutMs));
    } catch (error) {
      if (!isTwofoldError(error, 'sandbox-gone') && !isTwofoldError(error, 'sandbox-failed')) throw error;
    }
    const notes = await readNotes(living.directory);
    if (notes !== null) await writeNotes(living.directory, { ...notes, layers: {} });
  }

  async deleteSandbox(id: SandboxId, directory: string, options?: { readonly discard?: boolean }): Promise<void> {
    this.#sandboxes.get(id)?.connection.takeOutput();
    this.#letGo(id);
    await endSandbox(directory, this.#cgroups, options);
  }

  async reconnect(
    id: SandboxId,
    directory: string,
    containers: readonly ContainerId[],
    signal: AbortSignal,
  ): Promise<{ alive: boolean; info: SandboxInfo | null; containers: ReadonlyMap<ContainerId, ContainerState> }> {
    const states = new Map<ContainerId, ContainerState>();
    for (const container of containers) {
      const file = await readFile(sandboxParts(directory).exit(container)).catch(() => null);
      if (file !== null) states.set(container, { at: 'exited', status: exitOf(new TlvReader(file)) });
    }
    const connection = new SupervisorConnection(sandboxParts(directory).socket);
    try {
      const within = AbortSignal.any([signal, AbortSignal.timeout(followTimeoutMs)]);
      const supervisorPid = await connection.pid(within);
      this.#letGo(id);
      await this.#adopt(
        id,
        { directory, connection, configured: Promise.resolve(), closing: new AbortController() },
        within,
      );
      for (const one of (await connection.request(FrameType.STATE, new TlvWriter(), within)).lists(Tag.CONTAINER)) {
        const container = one.string(Tag.CONTAINER) as ContainerId;
        const state = stateOf(one);
        if (containers.includes(container) && state !== null) states.set(container, state);
      }
      return { alive: true, info: { supervisorPid, netnsPid: null }, containers: states };
    } catch (error) {
      this.#letGo(id);
      connection[Symbol.dispose]();
      if (!isTwofoldError(error, 'sandbox-gone')) throw error;
      return { alive: false, info: null, containers: states };
    }
  }

  watch(signal: AbortSignal): AsyncIterable<DriverEvent> {
    return this.#events.take(signal);
  }

  async workers(): Promise<Worker[]> {
    const found: Worker[] = [];
    for (const { sandboxDirectory, ...worker } of await findWorkers()) {
      const notes = await readNotes(sandboxDirectory);
      if (notes !== null) found.push({ sandbox: notes.sandbox, ...worker });
    }
    return found;
  }

  async endHard({ sandbox }: ProcessRef): Promise<boolean> {
    const living = this.#sandboxes.get(sandbox);
    const notes = living === undefined ? null : await readNotes(living.directory);
    if (notes === null) return false;
    await this.#cgroups.kill(workerGroup(notes.cgroupPath), AbortSignal.timeout(killTimeoutMs));
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of [...this.#sandboxes.keys()]) this.#letGo(id);
    await this.#vms[Symbol.asyncDispose]();
  }

  async #rehearsal(spec: OciSpec): Promise<Rehearsal> {
    return { layer: hypervParts(this.#settings.libRoot).rehearsal, spec, filter: await this.#filterOf(spec) };
  }

  async #filterOf({ linux: { seccomp } }: OciSpec): Promise<Buffer | null> {
    return seccomp === undefined
      ? null
      : compileSeccomp(hypervParts(this.#settings.libRoot).seccompTool, seccomp, thisMachine().seccompArchitecture);
  }

  async #adopt(id: SandboxId, living: Living, signal: AbortSignal): Promise<void> {
    this.#sandboxes.set(id, living);
    const within = AbortSignal.any([living.closing.signal, signal]);
    // The wait for the first answer is the caller's to call off; the following is not.
    const called = () => living.closing.abort();
    within.addEventListener('abort', called, { once: true });
    try {
      await this.#events.follow(id, living.connection, living.closing.signal);
    } finally {
      within.removeEventListener('abort', called);
    }
  }

  #letGo(id: SandboxId): void {
    this.#vms.settled(id);
    const living = this.#sandboxes.get(id);
    this.#sandboxes.delete(id);
    living?.closing.abort();
    living?.connection[Symbol.dispose]();
  }

  #need(id: SandboxId): Living {
    const living = this.#sandboxes.get(id);
    if (living === undefined) throw new TwofoldError('sandbox-gone', "The container's sandbox is not up.");
    return living;
  }

  /** Waits until the guest is up and configured. */
  async #guest(id: SandboxId, signal: AbortSignal): Promise<Living> {
    const living = this.#need(id);
    const { promise, reject } = Promise.withResolvers<never>();
    const onAbort = () =>
      reject(new TwofoldError('cancelled', 'Waiting for the VM was cancelled.', { cause: signal.reason }));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await Promise.race([living.configured, promise]);
      return living;
    } catch (error) {
      if (!isTwofoldError(error, 'sandbox-failed')) throw error;
      // The directory goes with the sandbox; what the VM said last must outlive it.
      const console = await readFile(sandboxParts(living.directory).workerLog, 'utf8').catch(() => '');
      throw new TwofoldError('sandbox-failed', error.message, { cause: new Error(`The VM's console: ${console}`) });
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #request(
    id: SandboxId,
    type: FrameType,
    payload: TlvWriter,
    signal: AbortSignal = AbortSignal.timeout(requestTimeoutMs),
  ): Promise<TlvReader> {
    const { connection } = await this.#guest(id, signal);
    return connection.request(type, payload, signal);
  }
}
