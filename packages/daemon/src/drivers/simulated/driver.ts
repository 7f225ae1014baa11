// Owns a driver without any kernel: sandboxes and programs in memory, for the engine's tests. The world outlives the
// driver, as supervisors outlive the daemon. It keeps the contract of driver.ts and refuses the rest with
// `unsupported`.

import { setTimeout as delay } from 'node:timers/promises';
import { TwofoldError, type ContainerId, type ExecId, type Isolation, type SandboxId } from '@twofold/contract';
import type {
  ContainerSpec,
  ContainerState,
  Driver,
  DriverEvent,
  ExitStatus,
  ProcessRef,
  SandboxInfo,
  SandboxSpec,
  ToolRun,
} from '../driver.ts';
import { SimulatedProcess, runProgram } from './programs.ts';

interface SimulatedContainer {
  readonly spec: ContainerSpec;
  main: SimulatedProcess | null;
  paused: boolean;
  readonly execs: Map<ExecId, SimulatedProcess>;
}

interface SimulatedSandbox {
  readonly spec: SandboxSpec;
  readonly containers: Map<ContainerId, SimulatedContainer>;
  /** Attachments made before the start. */
  readonly early: Map<ContainerId, SimulatedProcess>;
  alive: boolean;
}

/** What goes on when the daemon is not there. */
export class SimulatedWorld {
  readonly sandboxes = new Map<SandboxId, SimulatedSandbox>();
  nextPid = 1000;
  /** Faults that tests put in, by the name of the driver's method: called before it does its work. */
  readonly faults: Partial<Record<keyof Driver, (signal?: AbortSignal) => Promise<void> | void>> = {};
  /** Runs of the layer tool, where a test has some. */
  filesAtRest: (() => ToolRun) | null = null;
  listener: ((event: DriverEvent) => void) | null = null;

  /** The supervisor is killed: what ran in it is dead and nobody saw an exit. */
  kill(id: SandboxId): void {
    const sandbox = this.sandboxes.get(id);
    if (sandbox === undefined) return;
    sandbox.alive = false;
    for (const container of sandbox.containers.values())
      for (const process of [container.main, ...container.execs.values()]) process?.vanish();
    this.listener?.({ kind: 'sandbox-gone', sandbox: id, reason: 'the supervisor was killed' });
  }

  reboot(): void {
    for (const id of [...this.sandboxes.keys()]) {
      this.kill(id);
      this.sandboxes.delete(id);
    }
  }

  processOf(ref: ProcessRef): SimulatedProcess | undefined {
    const container = this.sandboxes.get(ref.sandbox)?.containers.get(ref.container);
    return (ref.exec === undefined ? container?.main : container?.execs.get(ref.exec)) ?? undefined;
  }
}

export class SimulatedDriver implements Driver {
  readonly isolation: Isolation;
  readonly endpointKind: 'veth' | 'tap';
  readonly accelerator = '';
  readonly #world: SimulatedWorld;

  constructor(isolation: Isolation, world: SimulatedWorld) {
    this.isolation = isolation;
    this.endpointKind = isolation === 'process' ? 'veth' : 'tap';
    this.#world = world;
  }

  async createSandbox(spec: SandboxSpec, signal: AbortSignal): Promise<SandboxInfo> {
    await this.#fault('createSandbox', signal);
    if (this.#world.sandboxes.has(spec.id))
      throw new TwofoldError('sandbox-failed', 'A sandbox with that id already exists.');
    this.#world.sandboxes.set(spec.id, { spec, containers: new Map(), early: new Map(), alive: true });
    return this.#info();
  }

  async configureNetwork(sandbox: SandboxId, _spec: SandboxSpec, signal: AbortSignal): Promise<void> {
    await this.#fault('configureNetwork', signal);
    this.#sandbox(sandbox);
  }

  async createContainer(spec: ContainerSpec, signal: AbortSignal) {
    await this.#fault('createContainer', signal);
    this.#sandbox(spec.sandbox).containers.set(spec.id, { spec, main: null, paused: false, execs: new Map() });
    return { uid: 0, gid: 0, groups: [], home: '/root' };
  }

  async resolveUser(container: ProcessRef) {
    this.#container(container);
    return { uid: 0, gid: 0, groups: [], home: '/root' };
  }

  async startContainer(
    ref: ProcessRef,
    spec: { process: { args: string[] } },
    _options: object,
    signal: AbortSignal,
  ): Promise<{ pid: number }> {
    await this.#fault('startContainer', signal);
    const container = this.#container(ref);
    const sandbox = this.#sandbox(ref.sandbox);
    const process = sandbox.early.get(ref.container) ?? new SimulatedProcess(this.#world.nextPid++);
    runProgram(process, spec.process.args);
    sandbox.early.delete(ref.container);
    container.main = process;
    this.#tellExit(process, ref);
    return { pid: process.pid };
  }

  async attach(ref: ProcessRef, want: { stdin: boolean; stdout: boolean; stderr: boolean }) {
    const sandbox = this.#sandbox(ref.sandbox);
    let process = this.#world.processOf(ref) ?? sandbox.early.get(ref.container);
    if (process === undefined)
      sandbox.early.set(ref.container, (process = new SimulatedProcess(this.#world.nextPid++)));
    return process.attach(want);
  }

  async exec(
    target: Required<ProcessRef>,
    spec: { process: { args: string[] }; stdin: boolean },
    want: { attached: boolean },
    signal: AbortSignal,
  ) {
    await this.#fault('exec', signal);
    const container = this.#container(target);
    const process = new SimulatedProcess(this.#world.nextPid++);
    const streams = want.attached ? process.attach({ stdin: spec.stdin, stdout: true, stderr: true }) : null;
    runProgram(process, spec.process.args);
    container.execs.set(target.exec, process);
    this.#tellExit(process, target);
    return { pid: process.pid, streams };
  }

  async signal(ref: ProcessRef, signal: number): Promise<void> {
    await this.#fault('signal');
    const process = this.#world.processOf(ref);
    if (process === undefined || process.status !== null)
      throw new TwofoldError('container-not-running', 'That process has ended.');
    process.signal(signal);
  }

  async resize(ref: ProcessRef): Promise<void> {
    this.#world.processOf(ref)?.signal(28);
  }

  async pause(ref: ProcessRef): Promise<void> {
    this.#container(ref).paused = true;
  }

  async resume(ref: ProcessRef): Promise<void> {
    this.#container(ref).paused = false;
  }

  async processes(): Promise<never> {
    throw unsupported();
  }

  async files(): Promise<never> {
    await this.#fault('files');
    throw unsupported();
  }

  async filesAtRest(): Promise<ToolRun> {
    if (this.#world.filesAtRest === null) throw unsupported();
    return this.#world.filesAtRest();
  }

  async showLayer(): Promise<never> {
    throw unsupported();
  }

  async discardWritable(): Promise<void> {}

  async releaseLayers(): Promise<void> {}

  async contentAtRest(): Promise<number> {
    return 0;
  }

  async hasWritable(): Promise<boolean> {
    return false;
  }

  async deleteContainer(ref: ProcessRef): Promise<void> {
    await this.#fault('deleteContainer');
    this.#world.sandboxes.get(ref.sandbox)?.containers.delete(ref.container);
  }

  async deleteSandbox(id: SandboxId): Promise<void> {
    await this.#fault('deleteSandbox');
    const sandbox = this.#world.sandboxes.get(id);
    this.#world.sandboxes.delete(id);
    for (const process of sandbox?.early.values() ?? []) process.vanish();
    for (const container of sandbox?.containers.values() ?? [])
      for (const process of [container.main, ...container.execs.values()]) process?.signal(9);
  }

  async reconnect(id: SandboxId, _directory: string, containers: readonly ContainerId[]) {
    const sandbox = this.#world.sandboxes.get(id);
    const states = new Map<ContainerId, ContainerState>();
    for (const container of containers) {
      const known = sandbox?.containers.get(container);
      if (known === undefined) continue;
      const { main } = known;
      if (main === null) states.set(container, { at: 'prepared' });
      else if (main.status === null) states.set(container, { at: 'running', pid: main.pid, startedAt: main.startedAt });
      else if (sandbox!.alive) states.set(container, { at: 'exited', status: main.status });
    }
    return { alive: sandbox?.alive ?? false, info: sandbox?.alive === true ? this.#info() : null, containers: states };
  }

  async *watch(signal: AbortSignal): AsyncIterable<DriverEvent> {
    const queue: DriverEvent[] = [];
    let wake = Promise.withResolvers<void>();
    const previous = this.#world.listener;
    this.#world.listener = (event) => {
      previous?.(event);
      queue.push(event);
      wake.resolve();
    };
    signal.addEventListener('abort', () => wake.resolve(), { once: true });
    while (!signal.aborted) {
      const event = queue.shift();
      if (event !== undefined) yield event;
      else {
        await wake.promise;
        wake = Promise.withResolvers<void>();
      }
    }
  }

  async workers() {
    if (this.isolation === 'process') return [];
    return [...this.#world.sandboxes.values()]
      .filter(({ alive }) => alive)
      .map(({ spec: { id } }) => ({ sandbox: id, pid: 1, name: 'vmwp', user: id.slice(0, 32) }));
  }

  async endHard(ref: ProcessRef): Promise<boolean> {
    if (this.#world.sandboxes.get(ref.sandbox)?.alive !== true) return false;
    if (this.isolation === 'process') this.#world.processOf(ref)?.signal(9);
    else this.#world.kill(ref.sandbox);
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #tellExit(process: SimulatedProcess, ref: ProcessRef): void {
    process.exit.then(
      (status: ExitStatus) => this.#world.listener?.({ kind: 'exited', ...ref, status }),
      () => undefined,
    );
  }

  async #fault(method: keyof Driver, signal?: AbortSignal): Promise<void> {
    await this.#world.faults[method]?.(signal);
    signal?.throwIfAborted();
    await delay(0);
  }

  #info(): SandboxInfo {
    return { supervisorPid: 1, netnsPid: this.isolation === 'process' ? 1 : null };
  }

  #sandbox(id: SandboxId): SimulatedSandbox {
    const sandbox = this.#world.sandboxes.get(id);
    if (sandbox === undefined || !sandbox.alive) throw new TwofoldError('sandbox-gone', 'The sandbox is gone.');
    return sandbox;
  }

  #container(ref: ProcessRef): SimulatedContainer {
    const container = this.#sandbox(ref.sandbox).containers.get(ref.container);
    if (container === undefined) throw new TwofoldError('container-not-found', 'No such container in the sandbox.');
    return container;
  }
}

const unsupported = () => new TwofoldError('unsupported', 'The simulated driver has no files and no process list.');
