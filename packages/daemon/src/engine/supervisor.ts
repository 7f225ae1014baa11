// Owns what happens to containers by themselves: their ends, restarts by policy, removal by --rm. It is the only writer
// of a container's state besides the commands in containers/, and the only reader of the drivers' events: commit, then
// publish. Does not own what is found at the daemon's start (reconnect.ts).

import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerId } from '@twofold/contract';
import type { Driver, DriverEvent, ExitStatus } from '../drivers/driver.ts';
import { cleanUpSoon } from './containers/clean-up.ts';
import { removeContainer } from './containers/remove.ts';
import { startContainer } from './containers/start.ts';
import { finishExec } from './execs.ts';
import { after, isUp } from './lifecycle.ts';
import { containerOf } from './places.ts';
import { longRunMs, restartDelayMs } from './restart-policy.ts';
import { publishContainer, type Room } from './room.ts';
import type { TraceStep } from './trace.ts';

/** Exit code of a container whose end nobody saw, as Docker has it. */
const unseenExitCode = 255;
const killedExitCode = 137;
const retryMs = 1_000;
const maxRetries = 3_600;

export class Supervisor {
  readonly #room: Room;

  constructor(room: Room) {
    this.#room = room;
  }

  /** Reads a driver's events until the daemon closes. */
  async watch(driver: Driver): Promise<void> {
    const { log, closing } = this.#room;
    try {
      for await (const event of driver.watch(closing)) this.#takeOrRetry(event, 0);
    } catch (error) {
      if (!closing.aborted) log.error({ err: error, isolation: driver.isolation }, 'A driver tells no more events.');
    }
  }

  /** Starts a container whose queue the caller holds. */
  async start(id: ContainerId, signal: AbortSignal, options: { byPolicy?: boolean } = {}): Promise<TraceStep[]> {
    const steps = await startContainer(this.#room, id, signal, options).catch((error: unknown) => {
      // As docker has it: `run --rm` of a command that isn't there waits for the removal.
      if (!this.#room.closing.aborted && this.#room.records.get(id)?.hostConfig.AutoRemove === true)
        this.removeSoon(id);
      throw error;
    });
    const presence = this.#room.presences.of(id);
    const early = presence.earlyExit;
    presence.earlyExit = null;
    if (early !== null) this.recordExit(id, early);
    return steps;
  }

  /** Writes an end down and sees to what follows. A second report of the same end changes nothing. */
  recordExit(id: ContainerId, status: ExitStatus, error = ''): void {
    const room = this.#room;
    const record = room.records.get(id);
    if (record === undefined) return;
    const presence = room.presences.of(id);
    const { life } = record;
    if (!isUp(life)) {
      if (presence.starting !== null) presence.earlyExit = status;
      return;
    }
    if (status.finishedAt - life.startedAt >= longRunMs) presence.quickRestarts = 0;
    const delayMs = restartDelayMs(record.hostConfig.RestartPolicy, {
      exitCode: status.code,
      restartCount: record.restartCount,
      stoppedByUser: record.stoppedByUser,
      quickRestarts: presence.quickRestarts,
    });
    const finishedAt = Math.max(status.finishedAt, life.startedAt);
    room.records.change(id, {
      life: after(life, {
        kind: 'exited',
        exitCode: status.code,
        oomKilled: status.oomKilled,
        at: finishedAt,
        error,
        restarts: delayMs !== null,
      }),
    });
    if (status.oomKilled) publishContainer(room, id, 'oom');
    publishContainer(room, id, 'die', {
      exitCode: String(status.code),
      execDuration: String(Math.round((finishedAt - life.startedAt) / 1000)),
    });
    for (const exec of room.execs.values()) if (exec.container === id) finishExec(room, exec.id, 137);
    presence.tell({ kind: 'exit', exitCode: status.code, willRestart: delayMs !== null });
    if (delayMs !== null) this.restartLater(id, delayMs);
    else if (record.hostConfig.AutoRemove === true) this.removeSoon(id);
    else cleanUpSoon(room, id);
  }

  /**
   * Starts it again after the delay, unless somebody gives it up before (stop.ts). The container's state is
   * `restarting`.
   */
  restartLater(id: ContainerId, delayMs: number): void {
    const room = this.#room;
    const presence = room.presences.of(id);
    const given = new AbortController();
    presence.restarting = given;
    presence.quickRestarts++;
    given.signal.addEventListener(
      'abort',
      () => {
        presence.restarting = null;
        const record = room.records.get(id);
        if (record === undefined || record.life.at !== 'restarting') return;
        const { exitCode } = record.life;
        room.records.change(id, { life: after(record.life, { kind: 'restart-given-up' }) });
        presence.tell({ kind: 'exit', exitCode, willRestart: false });
        cleanUpSoon(room, id);
      },
      { once: true },
    );
    const work = async () => {
      await delay(delayMs, undefined, { signal: AbortSignal.any([given.signal, room.closing]), ref: false });
      await presence.queue.run(async () => {
        if (given.signal.aborted || room.closing.aborted || room.records.get(id)?.life.at !== 'restarting') return;
        room.records.change(id, { restartCount: room.records.need(id).restartCount + 1 });
        presence.restarting = null;
        await this.start(id, room.closing, { byPolicy: true });
      });
    };
    work().catch((error: unknown) => {
      if (given.signal.aborted || room.closing.aborted) return;
      const record = room.records.get(id);
      if (record?.life.at === 'restarting') {
        // What was left of its last run could not be taken away, so that the start did not even begin.
        room.records.change(id, { life: after(record.life, { kind: 'restart-given-up' }) });
        presence.tell({ kind: 'exit', exitCode: record.life.exitCode, willRestart: false });
      }
      room.log.warn({ container: id, err: error }, 'A container could not be started again by its restart policy.');
    });
  }

  /** `--rm`, when its turn comes. */
  removeSoon(id: ContainerId): void {
    const room = this.#room;
    room.presences
      .of(id)
      .queue.run(async () => {
        const life = room.records.get(id)?.life.at;
        if (life === 'exited' || life === 'created') await removeContainer(room, id, false, room.closing);
      })
      .catch((error: unknown) =>
        room.log.warn({ container: id, err: error }, 'A container could not be removed after its end.'),
      );
  }

  /** A sandbox that is gone: killed, where somebody asked for it, or nobody knows how. */
  recordGone(id: ContainerId, reason: string): void {
    if (this.#room.presences.of(id).endedHard)
      this.recordExit(id, { code: killedExitCode, oomKilled: false, finishedAt: Date.now() });
    else this.recordUnseenEnd(id, reason);
  }

  /** A container that ran and of which nothing is left. */
  recordUnseenEnd(id: ContainerId, reason: string): void {
    this.recordExit(id, { code: unseenExitCode, oomKilled: false, finishedAt: Date.now() }, reason);
  }

  /** An end that can't be written down (a full disk) is tried again until it can be: nobody tells it twice. */
  #takeOrRetry(event: DriverEvent, tries: number): void {
    const { log, closing } = this.#room;
    try {
      this.#take(event);
    } catch (error) {
      if (tries === 0)
        log.error({ err: error, event }, 'An event of a driver could not be taken in; it is tried again.');
      if (tries < maxRetries && !closing.aborted)
        setTimeout(() => this.#takeOrRetry(event, tries + 1), retryMs).unref();
    }
  }

  #take(event: DriverEvent): void {
    switch (event.kind) {
      case 'exited':
        if (event.exec !== undefined) finishExec(this.#room, event.exec, event.status.code);
        else this.recordExit(event.container, event.status);
        return;
      case 'oom':
        publishContainer(this.#room, event.container, 'oom');
        return;
      case 'sandbox-gone':
        this.recordGone(containerOf(event.sandbox), event.reason);
        return;
    }
    event satisfies never;
  }
}
