// Owns how a VM is had: one that waits, a fork, a clone of its size's template, or a boot, whatever is there first; and
// the templates, the parents of forks, the pool and the turns that it takes. What of them fails is tried again. Does
// not own who lives in it (driver.ts), nor its end.

import { access, mkdir, readdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { isTwofoldError, type SandboxId } from '@twofold/contract';
import type { Cgroups } from '../../host/cgroup/index.ts';
import { SupervisorConnection } from '../../host/supervisor-connection.ts';
import { Turns } from '../../host/turns.ts';
import type { Settings } from '../../settings.ts';
import type { Aid, SandboxInfo, SandboxSpec, Warn } from '../driver.ts';
import { BackOff, inSeconds, type BackOffLimits } from './back-off.ts';
import type { Accelerator } from './machine.ts';
import { sandboxParts, spareDisks } from './places.ts';
import { makeParent } from './parent.ts';
import { Parents } from './parents.ts';
import { Pool } from './pool.ts';
import type { Rehearsal } from './rehearsal.ts';
import { bootSandbox, configureSandbox, endSandbox, interfacesOf } from './sandbox.ts';
import { isSameSize } from './size.ts';
import type { Making } from './template.ts';
import { Templates } from './templates.ts';
import type { Origin } from './worker.ts';

/**
 * Clones between their making and their container's start. Under emulation that is computing, and more of them than
 * processors only keep each other waiting: a guest's processors spin for each other (20 at once on 2 processors: 7.4 s
 * and 0.65 s of processor time each, so 6.6 and 0.56; measured).
 */
const clonesAtOnce = availableParallelism();
/** Nobody may start anything in it: others have waited long enough then. */
const turnMs = 10_000;
const bootTimeoutMs = 150_000;
/** A clone that is not there by then has failed. */
const cloneTimeoutMs = 30_000;

/** A VM that nobody follows yet. */
export interface Vm {
  readonly connection: SupervisorConnection;
  /** Settled once the guest has been told what holds for all of it. */
  readonly configured: Promise<void>;
  readonly supervisorPid: number;
  readonly origin: NonNullable<SandboxInfo['origin']>;
}

export interface VmParts {
  readonly settings: Settings;
  readonly accelerator: Accelerator;
  readonly cgroups: Cgroups;
  /** When what failed is tried again. */
  readonly retry: BackOffLimits;
}

export class Vms implements AsyncDisposable {
  readonly #parts: VmParts;
  readonly #closing = new AbortController();
  readonly #cloning = new Turns(clonesAtOnce);
  /** Of sandboxes whose VMs are clones and whose containers have yet to start: what ends a turn. */
  readonly #turns = new Map<SandboxId, () => void>();
  #templates: Templates | null = null;
  /** Null where VMs are not forked. */
  #parents: Parents | null = null;
  #pool: Pool | null = null;
  #warm: Promise<boolean> = Promise.resolve(false);
  readonly #preparing: BackOff;
  #again: NodeJS.Timeout | undefined;
  #warn: Warn = () => undefined;

  constructor(parts: VmParts) {
    this.#parts = parts;
    this.#preparing = new BackOff(parts.retry);
  }

  get pool(): { waiting: number; wanted: number } {
    const { vmTemplate, vmPool } = this.#parts.settings;
    return this.#pool?.status ?? { waiting: 0, wanted: vmTemplate ? vmPool : 0 };
  }

  /** Whether there is a template of the standard size; settled when that is known. */
  get warm(): Promise<boolean> {
    return this.#warm;
  }

  /** Whether VMs of the standard size are forks now; settled when no parent is being made. */
  async forkable(): Promise<boolean> {
    await this.#warm;
    return ((await this.#parents?.settled()) ?? null) !== null;
  }

  /** What makes starts faster, and how it is. */
  get aids(): Aid[] {
    const { vmTemplate, vmPool } = this.#parts.settings;
    const { againInMs } = this.#preparing;
    const before = (name: string, wanted: boolean): Aid => {
      if (!wanted) return { name, state: 'off' };
      return againInMs === null ? { name, state: 'making' } : { name, state: 'failed', againInMs };
    };
    return [
      this.#templates?.standard ?? before('VM template', vmTemplate),
      this.#parents?.aid ?? before('VM parent', this.#forks),
      this.#pool?.aid ?? before('VM pool', vmTemplate && vmPool > 0),
    ];
  }

  /**
   * Makes or opens the standard VMs' template in the background; what fails of it is told to `warn`, and VMs boot.
   * Once.
   */
  warmUp(warn: Warn, rehearsal: () => Promise<Rehearsal>): void {
    this.#warn = warn;
    const { settings } = this.#parts;
    if (!settings.vmTemplate) return;
    const open = async () => {
      await this.#sweepSpareDisks();
      const making = { ...this.#parts, rehearsal: await rehearsal() };
      const { signal: closing } = this.#closing;
      const { retry } = this.#parts;
      const standardIsThere = () => this.#begin(making);
      const templates = (this.#templates ??= new Templates(making, { retry, warn, closing, standardIsThere }));
      if (this.#forks)
        this.#parents ??= new Parents({
          make: () => templates.use(settings.machine, (template) => makeParent(making, template, warn, closing)),
          retry,
          warn,
          closing,
        });
      return templates.openStandard();
    };
    const attempt = () =>
      open().catch((error: unknown) => {
        if (this.#closing.signal.aborted) return false;
        const againMs = this.#preparing.failed();
        warn(
          `Utility VMs cannot be prepared: they boot, which takes longer. The next attempt is in ${inSeconds(againMs)}.`,
          { err: error },
        );
        this.#again = setTimeout(() => void (this.#warm = attempt()), againMs).unref();
        return false;
      });
    this.#warm = attempt();
  }

  get #forks(): boolean {
    const { vmTemplate, vmFork } = this.#parts.settings;
    return vmTemplate && vmFork && this.#parts.accelerator === 'tcg';
  }

  /** There is a template of the standard size, for the first time or again. */
  #begin(making: Making): void {
    const templates = this.#templates;
    const { settings, retry } = this.#parts;
    if (templates === null || this.#closing.signal.aborted) return;
    this.#parents?.begin();
    if (this.#pool !== null) this.#pool.tryNow();
    else if (settings.vmPool > 0)
      this.#pool = new Pool({
        ...making,
        retry,
        templates,
        parents: this.#parents,
        warn: this.#warn,
        startsUnderWay: () => this.#turns.size > 0,
      });
  }

  /** A VM of the size that `spec` names, as its sandbox. A clone is configured already. */
  async take(spec: SandboxSpec, signal: AbortSignal): Promise<Vm> {
    return (
      (await this.#takeWaiting(spec, signal)) ??
      (await this.#cloneInTurn(spec, signal)) ??
      (await this.#boot(spec, signal))
    );
  }

  /** Its container has started, or none will: others' turn. */
  settled(id: SandboxId): void {
    this.#turns.get(id)?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#again);
    await this.#warm;
    await this.#pool?.[Symbol.asyncDispose]();
    this.#pool = null;
    await this.#parents?.[Symbol.asyncDispose]();
    this.#parents = null;
    await this.#templates?.[Symbol.asyncDispose]();
    this.#templates = null;
  }

  /** Those of sandboxes that are no more: of before a reboot, or of a daemon that was killed in between. */
  async #sweepSpareDisks(): Promise<void> {
    const directory = spareDisks(this.#parts.settings.dataRoot);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(directory)) {
      const lives = await access(join(this.#parts.settings.runRoot, 'sb', name.replace('.ext4', ''))).then(
        () => true,
        () => false,
      );
      if (!lives) await rm(join(directory, name), { force: true });
    }
  }

  /** Null when none waits, or the one that did fails. */
  async #takeWaiting(spec: SandboxSpec, signal: AbortSignal): Promise<Vm | null> {
    if (this.#pool === null || !isSameSize(spec.machine, this.#parts.settings.machine) || !hasTemplatesAdapter(spec))
      return null;
    try {
      const taken = await this.#pool.handOut(spec, signal);
      return taken === null ? null : { ...taken, configured: Promise.resolve(), origin: 'waiting' };
    } catch (error) {
      if (signal.aborted || isCallers(error)) throw error;
      this.#warn('A waiting utility VM could not be used: another one is made.', { err: error });
      await mkdir(spec.directory, { recursive: true, mode: 0o700 });
      return null;
    }
  }

  async #cloneInTurn(spec: SandboxSpec, signal: AbortSignal): Promise<Vm | null> {
    if (this.#templates === null || !hasTemplatesAdapter(spec)) return null;
    const place = await this.#cloning.take(signal);
    const end = () => {
      clearTimeout(late);
      this.#turns.delete(spec.id);
      place[Symbol.dispose]();
    };
    const late = setTimeout(end, turnMs).unref();
    this.#turns.set(spec.id, end);
    try {
      const vm = (await this.#fork(spec, signal)) ?? (await this.#clone(this.#templates, spec, signal));
      if (vm === null) end();
      return vm;
    } catch (error) {
      end();
      throw error;
    }
  }

  /** Null where there is no parent for it, or the fork failed: then the parent is lost. */
  async #fork(spec: SandboxSpec, signal: AbortSignal): Promise<Vm | null> {
    const parents = this.#parents;
    const parent = parents?.present ?? null;
    if (parents === null || parent === null || !isSameSize(spec.machine, this.#parts.settings.machine)) return null;
    return this.#make(spec, parent.origin, (error) => parents.lose(parent, error), signal);
  }

  /** Null where there is no template for it, or the clone failed: then the template is given up. */
  async #clone(templates: Templates, spec: SandboxSpec, signal: AbortSignal): Promise<Vm | null> {
    return templates.use(spec.machine, ({ memory, saved, disk }, giveUp) =>
      this.#make(spec, { from: 'clone', memory, saved, disk }, giveUp, signal),
    );
  }

  /** A configured VM. Null when it failed for no fault of the caller's, after `giveUp` was told. */
  async #make(
    spec: SandboxSpec,
    origin: Origin & { readonly from: 'fork' | 'clone' },
    giveUp: (error: unknown) => Promise<void>,
    signal: AbortSignal,
  ): Promise<Vm | null> {
    const { settings, accelerator, cgroups } = this.#parts;
    let connection: SupervisorConnection | null = null;
    try {
      const supervisorPid = await bootSandbox(spec, settings, accelerator, cgroups, origin, signal);
      connection = new SupervisorConnection(sandboxParts(spec.directory).socket);
      // Here and not later: whoever is given one is given one that works.
      await configureSandbox(spec, connection, AbortSignal.any([signal, AbortSignal.timeout(cloneTimeoutMs)]));
      return { supervisorPid, connection, configured: Promise.resolve(), origin: origin.from };
    } catch (error) {
      connection?.[Symbol.dispose]();
      await endSandbox(spec.directory, cgroups);
      if (signal.aborted || isCallers(error)) throw error;
      await giveUp(error);
      return null;
    }
  }

  async #boot(spec: SandboxSpec, signal: AbortSignal): Promise<Vm> {
    const supervisorPid = await bootSandbox(
      spec,
      this.#parts.settings,
      this.#parts.accelerator,
      this.#parts.cgroups,
      { from: 'boot' },
      signal,
    );
    const connection = new SupervisorConnection(sandboxParts(spec.directory).socket);
    const configured = configureSandbox(spec, connection, AbortSignal.timeout(bootTimeoutMs));
    // Who needs the guest waits for it and hears of its failure then. The next one of its size shall be a clone.
    configured.then(
      () => (hasTemplatesAdapter(spec) ? this.#templates?.make(spec.machine) : undefined),
      () => undefined,
    );
    return { supervisorPid, connection, configured, origin: 'boot' };
  }
}

/** A template has the one adapter that it was saved with: with more of them a VM boots. */
function hasTemplatesAdapter(spec: SandboxSpec): boolean {
  return interfacesOf(spec).length <= 1;
}

/** What another VM would refuse, too. */
function isCallers(error: unknown): boolean {
  return (
    isTwofoldError(error, 'unsupported') ||
    isTwofoldError(error, 'not-implemented') ||
    isTwofoldError(error, 'invalid-argument')
  );
}
