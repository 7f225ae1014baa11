// Owns how a VM is had: one that waits, a fork, a clone of its size's template, or a boot, whatever is there first; and
// the templates, the parent of forks, the pool and the turns that it takes. Does not own who lives in it (driver.ts),
// nor its end.

import { access, mkdir, readdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { isTwofoldError, type SandboxId } from '@twofold/contract';
import type { Cgroups } from '../../host/cgroup/index.ts';
import { SupervisorConnection } from '../../host/supervisor-connection.ts';
import { Turns } from '../../host/turns.ts';
import type { Settings } from '../../settings.ts';
import type { SandboxInfo, SandboxSpec, Warn } from '../driver.ts';
import type { Accelerator } from './machine.ts';
import { sandboxParts, spareDisks } from './places.ts';
import { makeParent, type Parent } from './parent.ts';
import { Pool } from './pool.ts';
import type { Rehearsal } from './rehearsal.ts';
import { bootSandbox, configureSandbox, endSandbox, interfacesOf } from './sandbox.ts';
import { isSameSize } from './size.ts';
import type { Making, Template } from './template.ts';
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

/** So often a parent may be lost; then something is wrong with it here. */
const mostLosses = 3;

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
}

export class Vms implements AsyncDisposable {
  readonly #parts: VmParts;
  readonly #closing = new AbortController();
  readonly #cloning = new Turns(clonesAtOnce);
  /** Of sandboxes whose VMs are clones and whose containers have yet to start: what ends a turn. */
  readonly #turns = new Map<SandboxId, () => void>();
  #templates: Templates | null = null;
  /** Null while it is made, and where it can't be had. */
  #parent: Parent | null = null;
  #parentMade: Promise<void> = Promise.resolve();
  #renewParent: () => Promise<void> = () => Promise.resolve();
  #losses = 0;
  #pool: Pool | null = null;
  #warm: Promise<boolean> = Promise.resolve(false);
  #warn: Warn = () => undefined;

  constructor(parts: VmParts) {
    this.#parts = parts;
  }

  get pool(): { waiting: number; wanted: number } {
    const { vmTemplate, vmPool } = this.#parts.settings;
    return this.#pool?.status ?? { waiting: 0, wanted: vmTemplate ? vmPool : 0 };
  }

  /** Whether there is a template of the standard size; settled when that is known. */
  get warm(): Promise<boolean> {
    return this.#warm;
  }

  /** Whether VMs of the standard size are forks; settled when that is known. */
  async forkable(): Promise<boolean> {
    await this.#warm;
    await this.#parentMade;
    return this.#parent !== null;
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
      this.#templates = new Templates(making, warn, this.#closing.signal);
      const template = await this.#templates.openStandard();
      if (template === null || this.#closing.signal.aborted) return template !== null;
      this.#renewParent = () => this.#makeParent(making, template);
      if (settings.vmFork && this.#parts.accelerator === 'tcg') this.#parentMade = this.#renewParent();
      if (settings.vmPool > 0)
        this.#pool = new Pool({
          ...making,
          template,
          parent: () => this.#parentMade.then(() => this.#parent),
          lostParent: (error) => this.#loseParent(error),
          warn,
          startsUnderWay: () => this.#turns.size > 0,
        });
      return true;
    };
    this.#warm = open().catch((error: unknown) => {
      if (!this.#closing.signal.aborted)
        warn('Utility VMs cannot be prepared: they boot, which takes longer.', { err: error });
      return false;
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
    await this.#warm;
    await this.#pool?.[Symbol.asyncDispose]();
    this.#pool = null;
    await this.#parentMade;
    await this.#parent?.[Symbol.asyncDispose]();
    this.#parent = null;
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
      this.#warn('A utility VM that waited could not be handed out: another one is made.', { err: error });
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

  async #makeParent(making: Making, template: Template): Promise<void> {
    try {
      const parent = await makeParent(making, template, this.#warn, this.#closing.signal);
      this.#parent = parent;
      void parent.gone.then((why) =>
        this.#parent === parent && !this.#closing.signal.aborted ? this.#loseParent(why) : undefined,
      );
    } catch (error) {
      if (!this.#closing.signal.aborted)
        this.#warn(
          'The utility VM that others are forked from could not be made: they are clones, which takes longer.',
          { err: error },
        );
    }
  }

  /** VMs are clones until there is another. */
  async #loseParent(error: unknown): Promise<void> {
    const parent = this.#parent;
    this.#parent = null;
    if (parent === null) return;
    this.#losses += 1;
    const another = this.#losses < mostLosses;
    this.#warn(
      `The utility VM that others are forked from is lost: they are clones, which takes longer, ${another ? 'until there is another' : 'until the daemon is started anew'}.`,
      { err: error },
    );
    const ended = parent[Symbol.asyncDispose]().catch((failed: unknown) =>
      this.#warn('What is left of the utility VM that others were forked from could not be cleared away.', {
        err: failed,
      }),
    );
    this.#parentMade = ended.then(() => (another && !this.#closing.signal.aborted ? this.#renewParent() : undefined));
    await ended;
  }

  /** Null where there is no parent for it, or the fork failed: then the parent is lost. */
  async #fork(spec: SandboxSpec, signal: AbortSignal): Promise<Vm | null> {
    const parent = this.#parent;
    if (parent === null || !isSameSize(spec.machine, this.#parts.settings.machine)) return null;
    return this.#make(spec, parent.origin, (error) => this.#loseParent(error), signal);
  }

  /** Null where there is no template for it, or the clone failed: then the template is given up. */
  async #clone(templates: Templates, spec: SandboxSpec, signal: AbortSignal): Promise<Vm | null> {
    return templates.use(spec.machine, ({ memory, saved, disk }) =>
      this.#make(
        spec,
        { from: 'clone', memory, saved, disk },
        (error) => templates.giveUp(spec.machine, error),
        signal,
      ),
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
