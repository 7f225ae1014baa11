// Owns what the daemon remembers of one living sandbox: the way to its supervisor, what was prepared in it, and the
// watch on its events. All of it can be made again from the sandbox's directory.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  FrameType,
  Tag,
  TlvReader,
  TlvWriter,
  TwofoldError,
  isTwofoldError,
  type ContainerId,
  type ExecId,
  type OciNamespaceType,
  type SandboxId,
} from '@twofold/contract';
import { exitOf } from '../../host/conversation.ts';
import { SupervisorConnection } from '../../host/supervisor-connection.ts';
import { lastWords } from '../../host/supervisor-process.ts';
import type { ContainerState, ExitStatus, ProvidedFile } from '../driver.ts';
import type { EventQueue } from '../event-queue.ts';
import { stateOf, target } from '../supervised.ts';

const deleteTimeoutMs = 10_000;

export interface Prepared {
  readonly rootfs: string;
  readonly files: readonly ProvidedFile[];
  /** Where its layers are mounted, top first. */
  readonly layers: readonly string[];
  readonly writableDirectory: string;
  /** By place, of each tmpfs that has the mode of the directory below; absent in what older daemons wrote. */
  readonly modes?: Readonly<Record<string, number>>;
}

export const socketOf = (directory: string): string => join(directory, 'socket');
export const planOf = (directory: string): string => join(directory, 'sandbox.plan');

export class Sandbox {
  readonly id: SandboxId;
  readonly directory: string;
  readonly cgroupPath: string;
  readonly namespaces: readonly OciNamespaceType[];
  readonly connection: SupervisorConnection;
  readonly #prepared = new Map<ContainerId, Prepared>();
  readonly #filters = new Map<ContainerId, Buffer | null>();
  readonly #closing = new AbortController();
  #watching: Promise<void> = Promise.resolve();

  constructor(id: SandboxId, directory: string, cgroupPath: string, namespaces: readonly OciNamespaceType[]) {
    this.id = id;
    this.directory = directory;
    this.cgroupPath = cgroupPath;
    this.namespaces = namespaces;
    this.connection = new SupervisorConnection(socketOf(directory));
  }

  /** From the plan that was written when it was made; null when there is none (any more). */
  static fromDisk(id: SandboxId, directory: string): Sandbox | null {
    const plan = readPlan(directory);
    const cgroupPath = plan?.string(Tag.NAME);
    return plan === null || cgroupPath === undefined
      ? null
      : new Sandbox(id, directory, cgroupPath, plan.strings(Tag.NAMESPACE) as OciNamespaceType[]);
  }

  /** Where the container's own control group is. */
  cgroupOf(container: ContainerId): string {
    return `${this.cgroupPath}/${container}`;
  }

  /** Remembers what a container was made of, for a later daemon too. */
  notePrepared(container: ContainerId, prepared: Prepared): void {
    writeFileSync(this.#preparedFile(container), JSON.stringify(prepared), { mode: 0o600 });
    this.#prepared.set(container, prepared);
  }

  needPrepared(container: ContainerId): Prepared {
    const known = this.#prepared.get(container);
    if (known !== undefined) return known;
    try {
      const prepared = JSON.parse(readFileSync(this.#preparedFile(container), 'utf8')) as Prepared;
      this.#prepared.set(container, prepared);
      return prepared;
    } catch (cause) {
      throw new TwofoldError('conflict', 'The container has not been prepared.', { cause });
    }
  }

  /** What its processes are filtered by; undefined: not known here. */
  filterOf(container: ContainerId): Buffer | null | undefined {
    return this.#filters.get(container);
  }

  noteFilter(container: ContainerId, filter: Buffer | null): void {
    this.#filters.set(container, filter);
  }

  forgetPrepared(container: ContainerId): void {
    this.#prepared.delete(container);
    this.#filters.delete(container);
    rmSync(this.#preparedFile(container), { force: true });
  }

  #preparedFile(container: ContainerId): string {
    return join(this.directory, `prepared.${container}.json`);
  }

  /** Follows its events until it is gone or let go. Resolves when nothing can be missed any more. */
  async watch(events: EventQueue, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () =>
      reject(new TwofoldError('cancelled', 'Waiting for the sandbox was cancelled.', { cause: signal.reason }));
    signal.addEventListener('abort', onAbort, { once: true });
    this.#watching = this.#follow(events, resolve).catch(reject);
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Lets go of it without ending it. */
  async letGo(): Promise<void> {
    this.#closing.abort();
    this.connection[Symbol.dispose]();
    await this.#watching;
  }

  async #follow(events: EventQueue, onReady: () => void): Promise<void> {
    try {
      for await (const event of this.connection.watch(this.#closing.signal, onReady)) this.#tell(events, event);
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.connection[Symbol.dispose]();
      const reason = isTwofoldError(error, 'sandbox-gone')
        ? 'The supervisor ended'
        : 'The supervisor broke the protocol';
      events.push({
        kind: 'sandbox-gone',
        sandbox: this.id,
        reason: `${reason}; what ran in the sandbox is dead. Its last words: ${lastWords(join(this.directory, 'supervisor.err'))}`,
      });
    }
  }

  #tell(events: EventQueue, event: TlvReader): void {
    const container = event.string(Tag.CONTAINER) as ContainerId | undefined;
    const exec = event.string(Tag.EXEC) as ExecId | undefined;
    if (container === undefined) return;
    if (event.string(Tag.EVENT) === 'oom') events.push({ kind: 'oom', sandbox: this.id, container });
    if (event.string(Tag.EVENT) !== 'exited') return;
    events.push({
      kind: 'exited',
      sandbox: this.id,
      container,
      ...(exec === undefined ? {} : { exec }),
      status: exitOf(event),
    });
    // An exec's status is kept until somebody says that it has been read; here it has.
    if (exec !== undefined)
      void this.connection
        .request(FrameType.DELETE, target({ sandbox: this.id, container, exec }), AbortSignal.timeout(deleteTimeoutMs))
        .catch(() => undefined);
  }

  /** What the supervisor says of its containers. */
  async states(signal: AbortSignal): Promise<Map<ContainerId, ContainerState>> {
    const reply = await this.connection.request(FrameType.STATE, new TlvWriter(), signal);
    return new Map(
      reply
        .lists(Tag.CONTAINER)
        .map((one) => [one.string(Tag.CONTAINER) as ContainerId, stateOf(one) ?? { at: 'prepared' }]),
    );
  }
}

/** The exit that a supervisor wrote down before it told anybody; null when there is none. */
export function exitOnDisk(directory: string, container: ContainerId): ExitStatus | null {
  try {
    const list = new TlvReader(readFileSync(join(directory, `exit.${container}`)));
    return list.number(Tag.EXIT_CODE) === undefined ? null : exitOf(list);
  } catch {
    // Not there, or cut short by a full disk: nobody knows the exit.
    return null;
  }
}

function readPlan(directory: string): TlvReader | null {
  try {
    return new TlvReader(readFileSync(planOf(directory)));
  } catch {
    return null;
  }
}
