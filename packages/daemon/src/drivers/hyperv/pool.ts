// Owns the VMs that wait: clones of the template that belong to nobody yet, have no identity and no container, in sandbox directories that a later
// daemon takes for orphans. Does not own clones that were handed out, nor the template.
//
//   absent ─clone has answered▶ waiting ─take▶ handed out (the driver's)
//                                  └─dies, or the pool is closed▶ absent

import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { FrameType, Tag, TlvWriter, TwofoldError, guidDigits, newId, type SandboxId } from '@twofold/contract';
import type { Cgroups } from '../../host/cgroup/index.ts';
import { SupervisorConnection } from '../../host/supervisor-connection.ts';
import { renameWorkerUser } from '../../host/worker-users.ts';
import type { Settings } from '../../settings.ts';
import type { SandboxSpec, Warn } from '../driver.ts';
import { runGuestTool } from './guest-tool.ts';
import type { Accelerator } from './machine.ts';
import { readNotes, writeNotes } from './notes.ts';
import { sandboxParts } from './places.ts';
import { bootSandbox, configureSandbox, endSandbox, limitWorker, onlyInterface } from './sandbox.ts';
import type { Template } from './template.ts';

const cloneTimeoutMs = 30_000;
/** A refill waits until nobody has taken one for this long: it shall not slow the start that made room. */
const refillDelayMs = 400;
/** After so many failures in a row nothing is tried any more. */
const maxFailures = 3;

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
  readonly template: Template;
  readonly warn: Warn;
}

/** Under emulation code is slow when it runs for the first time: a program is started and ended, as it will be for the container. Leaves nothing in the guest. */
async function rehearse(connection: SupervisorConnection, signal: AbortSignal): Promise<void> {
  await using run = await runGuestTool(connection, ['processes', '/sys/fs/cgroup/cgroup.procs'], signal);
  run.stdin.end();
  for await (const _ of run.stdout);
  await run.done;
}

export class Pool implements AsyncDisposable {
  readonly #parts: PoolParts;
  readonly #waiting: Waiting[] = [];
  readonly #closing = new AbortController();
  /** Clearing away of those that died. */
  readonly #clearing = new Set<Promise<void>>();
  #filling: Promise<void> | null = null;
  #takenAt = -Infinity;

  constructor(parts: PoolParts) {
    this.#parts = parts;
    this.#fill();
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Makes a waiting VM the sandbox of `spec`, configured. Null when none waits. Throws when it could not be made so; nothing of it is left then. */
  async handOut(spec: SandboxSpec, signal: AbortSignal): Promise<{ supervisorPid: number; connection: SupervisorConnection } | null> {
    const { cgroups } = this.#parts;
    onlyInterface(spec);
    const one = this.#waiting.shift();
    if (one === undefined) return null;
    this.#takenAt = performance.now();
    one.watching.abort();
    one.connection[Symbol.dispose]();
    this.#fill();
    let directory = one.directory;
    const connection = new SupervisorConnection(sandboxParts(spec.directory).socket);
    try {
      const notes = await readNotes(directory);
      if (notes === null) throw new TwofoldError('sandbox-gone', 'The waiting VM is gone.');
      const user = { uid: notes.user.uid, name: guidDigits(spec.id) };
      // Its control groups keep their name: version 2 can't rename any.
      await writeNotes(directory, { ...notes, sandbox: spec.id, user });
      await renameWorkerUser(notes.user, user.name);
      await rename(directory, spec.directory);
      directory = spec.directory;
      limitWorker(spec, notes.cgroupPath, cgroups);
      const adopt = new TlvWriter().string(Tag.PATH, spec.directory);
      const adapter = onlyInterface(spec);
      if (adapter !== null) adopt.string(Tag.HOST_NAME, adapter.hostName);
      const within = AbortSignal.any([signal, AbortSignal.timeout(cloneTimeoutMs)]);
      await connection.request(FrameType.ADOPT, adopt, within);
      await configureSandbox(spec, connection, within);
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
    await this.#filling;
    await Promise.all(this.#waiting.splice(0).map((one) => this.#end(one)));
    await Promise.all(this.#clearing);
  }

  #fill(): void {
    if (this.#closing.signal.aborted) return;
    this.#filling ??= this.#fillUp().then((full) => {
      this.#filling = null;
      // One may have been taken while this was ending.
      if (full && this.#waiting.length < this.#parts.settings.vmPool) this.#fill();
    });
  }

  /** False when it was given up. */
  async #fillUp(): Promise<boolean> {
    const { settings, warn } = this.#parts;
    const { signal } = this.#closing;
    let failures = 0;
    while (!signal.aborted && this.#waiting.length < settings.vmPool) {
      try {
        for (let left = this.#restMs(); left > 0; left = this.#restMs()) await wait(left, undefined, { signal });
        await this.#add(signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return false;
        if (++failures < maxFailures) continue;
        warn('No utility VM could be made to wait: containers start more slowly.', { err: error });
        return false;
      }
    }
    return true;
  }

  #restMs(): number {
    return this.#takenAt + refillDelayMs - performance.now();
  }

  async #add(signal: AbortSignal): Promise<void> {
    const { settings, accelerator, cgroups, template } = this.#parts;
    const id = newId<SandboxId>();
    const directory = join(settings.runRoot, 'sb', id);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const connection = new SupervisorConnection(sandboxParts(directory).socket);
    try {
      const spec = { id, namespace: 'pool', directory, hostname: 'waiting', network: { mode: 'none' as const }, machine: settings.machine, cgroupPath: `${settings.cgroupParent}/${id}`, resources: {} };
      const within = AbortSignal.any([signal, AbortSignal.timeout(cloneTimeoutMs)]);
      const supervisorPid = await bootSandbox(spec, settings, accelerator, cgroups, { from: 'clone', memory: template.memory, saved: template.saved }, within);
      // Asks for nothing: it is answered when the guest is up. Who it is, it is told when it is handed out.
      await connection.request(FrameType.CONFIGURE, new TlvWriter(), within);
      await rehearse(connection, within);
      const one = { directory, connection, supervisorPid, watching: new AbortController() };
      this.#waiting.push(one);
      void this.#watch(one);
    } catch (error) {
      connection[Symbol.dispose]();
      await endSandbox(directory, cgroups);
      await rm(directory, { recursive: true, force: true });
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
    const clearing = this.#end(one).catch((error: unknown) => this.#parts.warn('What is left of a waiting VM could not be cleared away.', { err: error })).finally(() => this.#clearing.delete(clearing));
    this.#clearing.add(clearing);
    this.#fill();
  }

  async #end(one: Waiting): Promise<void> {
    one.watching.abort();
    one.connection[Symbol.dispose]();
    await endSandbox(one.directory, this.#parts.cgroups);
    await rm(one.directory, { recursive: true, force: true });
  }
}
