// Owns the VMs that wait: clones of the template that belong to nobody yet, have no identity and no container, in
// sandbox directories that a later daemon takes for orphans. They run in the background until they are handed out. Does
// not own clones that were handed out, nor the template; how many should wait is decided in pool-size.ts.
//
//   absent ─clone has answered▶ waiting ─take▶ handed out (the driver's)
//                                  └─dies, is too many, or the pool is closed▶ absent

import { rename, rm } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { FrameType, Tag, TlvWriter, TwofoldError, guidDigits } from '@twofold/contract';
import type { Cgroups } from '../../host/cgroup/index.ts';
import { SupervisorConnection } from '../../host/supervisor-connection.ts';
import { renameWorkerUser } from '../../host/worker-users.ts';
import type { Settings } from '../../settings.ts';
import type { Aid, SandboxSpec, Warn } from '../driver.ts';
import { BackOff, inSeconds, type BackOffLimits } from './back-off.ts';
import type { Accelerator } from './machine.ts';
import { readNotes, writeNotes } from './notes.ts';
import type { Parents } from './parents.ts';
import { sandboxParts } from './places.ts';
import { decidePoolSize, type PoolDecision } from './pool-size.ts';
import { rehearse, type Rehearsal } from './rehearsal.ts';
import {
  bootSandbox,
  configureSandbox,
  endSandbox,
  interfacesOf,
  limitWorker,
  nobodysSandbox,
  patience,
  templateMac,
} from './sandbox.ts';
import type { Templates } from './templates.ts';
import type { Origin } from './worker.ts';

const cloneTimeoutMs = 30_000;
/**
 * A refill waits until nobody has taken one for this long, and while others are being made for containers: it shall not
 * slow the starts that it is too late for.
 */
const refillDelayMs = 400;
/** So many failures in a row are told; the next one is tried after a while, as each is. */
const toldFailures = 3;

interface Waiting {
  readonly directory: string;
  readonly connection: SupervisorConnection;
  readonly supervisorPid: number;
  /** Ends the watch for its death. */
  readonly watching: AbortController;
}

export interface PoolParts {
  readonly settings: Settings;
  readonly accelerator: Accelerator;
  readonly cgroups: Cgroups;
  readonly templates: Templates;
  /** Null where VMs are not forked. */
  readonly parents: Parents | null;
  readonly retry: BackOffLimits;
  readonly rehearsal: Rehearsal;
  /** Whether VMs are being made for containers just now. */
  readonly startsUnderWay: () => boolean;
  readonly warn: Warn;
}

export class Pool implements AsyncDisposable {
  readonly #parts: PoolParts;
  readonly #waiting: Waiting[] = [];
  readonly #closing = new AbortController();
  /** Clearing away of those that died. */
  readonly #clearing = new Set<Promise<void>>();
  /** When VMs were asked for lately. */
  #startsMs: number[] = [];
  #filling: Promise<void> | null = null;
  readonly #backOff: BackOff;
  /** Ends the wait after a failure. */
  #again: (() => void) | null = null;
  #review: NodeJS.Timeout | undefined;

  constructor(parts: PoolParts) {
    this.#parts = parts;
    this.#backOff = new BackOff(parts.retry);
    this.#adapt();
  }

  get aid(): Aid {
    const name = 'VM pool';
    const { againInMs } = this.#backOff;
    if (againInMs !== null) return { name, state: 'failed', againInMs };
    const { waiting, wanted } = this.status;
    return { name, state: waiting < wanted ? 'making' : 'ready' };
  }

  /** What it failed for may have been mended. */
  tryNow(): void {
    this.#again?.();
  }

  get status(): { waiting: number; wanted: number } {
    return { waiting: this.#waiting.length, wanted: this.#decide().wanted };
  }

  /**
   * Makes a waiting VM the sandbox of `spec`, configured. Null when none waits. Throws when it could not be made so;
   * nothing of it is left then.
   */
  async handOut(
    spec: SandboxSpec,
    signal: AbortSignal,
  ): Promise<{ supervisorPid: number; connection: SupervisorConnection } | null> {
    const { cgroups } = this.#parts;
    const [adapter] = interfacesOf(spec);
    const one = this.#waiting.shift();
    this.#noteStart();
    this.#adapt();
    if (one === undefined) return null;
    one.watching.abort();
    let directory = one.directory;
    const connection = new SupervisorConnection(sandboxParts(spec.directory).socket);
    const within = AbortSignal.any([signal, AbortSignal.timeout(cloneTimeoutMs)]);
    // The guest is told while the host's names are changed.
    const configured = configureSandbox(spec, one.connection, within, { isUp: true }).finally(() =>
      one.connection[Symbol.dispose](),
    );
    configured.catch(() => undefined); // awaited below, unless something else fails first
    try {
      const notes = await readNotes(directory);
      if (notes === null) throw new TwofoldError('sandbox-gone', 'The waiting VM is gone.');
      const user = { uid: notes.user.uid, name: guidDigits(spec.id) };
      cgroups.background(notes.cgroupPath, false);
      // Its control groups keep their name: version 2 can't rename any.
      await writeNotes(directory, { ...notes, sandbox: spec.id, user });
      await renameWorkerUser(notes.user, user.name);
      await rename(directory, spec.directory);
      directory = spec.directory;
      limitWorker(spec, notes.cgroupPath, cgroups);
      const adopt = new TlvWriter().string(Tag.PATH, spec.directory);
      if (adapter !== undefined) adopt.string(Tag.HOST_NAME, adapter.hostName);
      await configured;
      await connection.request(FrameType.ADOPT, adopt, within);
      return { supervisorPid: one.supervisorPid, connection };
    } catch (error) {
      connection[Symbol.dispose]();
      await endSandbox(directory, cgroups);
      if (directory === one.directory) await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#review);
    await this.#filling;
    await Promise.all(this.#waiting.splice(0).map((one) => this.#end(one)));
    await Promise.all(this.#clearing);
  }

  /** Makes or ends as many as the moment asks for, and sees to the next look at it. */
  #adapt(): void {
    clearTimeout(this.#review);
    if (this.#closing.signal.aborted) return;
    const { wanted, reviewInMs } = this.#decide();
    // The one that has waited longest goes first, as at hand-out.
    for (const one of this.#waiting.splice(0, this.#waiting.length - wanted)) this.#clear(one);
    if (this.#waiting.length < wanted)
      this.#filling ??= this.#fillUp().finally(() => {
        this.#filling = null;
        this.#adapt(); // one may have been taken while this was ending
      });
    if (reviewInMs !== null) this.#review = setTimeout(() => this.#adapt(), reviewInMs).unref();
  }

  #noteStart(): void {
    const nowMs = performance.now();
    this.#startsMs = [...this.#startsMs.filter((at) => nowMs - at < this.#parts.settings.vmPoolIdleMs), nowMs];
  }

  #decide(): PoolDecision {
    const { vmPool: least, vmPoolMost: most, vmPoolIdleMs: rememberMs } = this.#parts.settings;
    return decidePoolSize({
      least,
      most,
      rememberMs,
      nowMs: performance.now(),
      startsMs: this.#startsMs,
      waiting: this.#waiting.length,
      memory: { availableBytes: freemem(), totalBytes: totalmem() },
    });
  }

  async #fillUp(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        for (let left = this.#restMs(); left > 0; left = this.#restMs()) await wait(left, undefined, { signal });
        if (this.#waiting.length >= this.#decide().wanted) return;
        await this.#add(signal);
        this.#backOff.succeeded();
      } catch (error) {
        if (signal.aborted) return;
        await this.#afterFailure(error, signal);
      }
    }
  }

  async #afterFailure(error: unknown, signal: AbortSignal): Promise<void> {
    const againMs = this.#backOff.failed();
    if (this.#backOff.failures === toldFailures)
      this.#parts.warn(
        `No utility VM could be made to wait, so containers start more slowly. The next attempt is in ${inSeconds(againMs)}.`,
        { err: error },
      );
    const early = new AbortController();
    this.#again = () => early.abort();
    // Either signal only ends the wait.
    await wait(againMs, undefined, { signal: AbortSignal.any([signal, early.signal]), ref: false }).catch(
      () => undefined,
    );
    this.#again = null;
  }

  #restMs(): number {
    return this.#parts.startsUnderWay()
      ? refillDelayMs
      : (this.#startsMs.at(-1) ?? -Infinity) + refillDelayMs - performance.now();
  }

  async #add(signal: AbortSignal): Promise<void> {
    const { parents, templates, settings } = this.#parts;
    const parent = (await parents?.settled()) ?? null;
    if (parents !== null && parent !== null)
      return this.#make(parent.origin, (error) => parents.lose(parent, error), signal);
    const made = await templates.use(settings.machine, async ({ memory, saved, disk }) => {
      await this.#make({ from: 'clone', memory, saved, disk }, async () => undefined, signal);
      return true;
    });
    if (made === null) throw new TwofoldError('sandbox-failed', 'There is no template to make a VM from.');
  }

  /** `broken` is told of a VM that was made of `origin` and did not come up. */
  async #make(
    origin: Origin & { readonly from: 'fork' | 'clone' },
    broken: (error: unknown) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { settings, accelerator, cgroups } = this.#parts;
    const spec = await nobodysSandbox(settings, settings.machine, 'pool', 'waiting');
    const { directory, cgroupPath } = spec;
    const connection = new SupervisorConnection(sandboxParts(directory).socket);
    using undo = new DisposableStack();
    try {
      const within = AbortSignal.any([signal, AbortSignal.timeout(cloneTimeoutMs)]);
      const supervisorPid = await bootSandbox(
        spec,
        settings,
        accelerator,
        cgroups,
        { ...origin, background: true },
        within,
      );
      const impatient = undo.use(patience(cgroupPath, cgroups));
      // Asks for nothing: it is answered when the guest is up. Who it is, it is told when it is handed out.
      await connection.request(FrameType.CONFIGURE, new TlvWriter(), within);
      // A fork's parent has. But the pages that a fork writes are copied then, which is 12 of 124 ms of a whole `docker
      // run` (measured).
      await rehearse(connection, directory, templateMac, this.#parts.rehearsal, within);
      impatient[Symbol.dispose]();
      cgroups.background(cgroupPath, true);
      const one = { directory, connection, supervisorPid, watching: new AbortController() };
      this.#waiting.push(one);
      void this.#watch(one);
    } catch (error) {
      connection[Symbol.dispose]();
      await endSandbox(directory, cgroups);
      await rm(directory, { recursive: true, force: true });
      if (!signal.aborted) await broken(error);
      throw error;
    }
  }

  /** One that dies is not handed out, and another takes its place. */
  async #watch(one: Waiting): Promise<void> {
    try {
      for await (const _ of one.connection.watch(one.watching.signal));
    } catch {
      // The supervisor is gone.
    }
    const at = this.#waiting.indexOf(one);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    this.#clear(one);
    this.#adapt();
  }

  #clear(one: Waiting): void {
    const clearing = this.#end(one)
      .catch((error: unknown) => this.#parts.warn('The remains of a waiting VM could not be removed.', { err: error }))
      .finally(() => this.#clearing.delete(clearing));
    this.#clearing.add(clearing);
  }

  async #end(one: Waiting): Promise<void> {
    one.watching.abort();
    one.connection[Symbol.dispose]();
    await endSandbox(one.directory, this.#parts.cgroups);
    await rm(one.directory, { recursive: true, force: true });
  }
}
