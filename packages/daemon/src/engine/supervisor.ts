// Owns what happens to containers by themselves: their ends, restarts by policy, removal by --rm. It is the only writer
// of a container's state besides the commands in containers/, and the only reader of the drivers' events. What can't be
// written down is tried again until it can. Does not own what is found at the daemon's start (reconnect.ts).

import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerId } from '@twofold/contract';
import type { Driver, DriverEvent, ExitStatus } from '../drivers/driver.ts';
import { Backlog } from './backlog.ts';
import { cleanUpSoon } from './containers/clean-up.ts';
import { finishRemoval, removeContainer } from './containers/remove.ts';
import { startContainer } from './containers/start.ts';
import { finishExec } from './execs.ts';
import { after, isUp } from './lifecycle.ts';
import { containerOf } from './places.ts';
import { longRunMs, longestDelayMs, quickDelayMs, restartDelayMs } from './restart-policy.ts';
import { noteContainer, publishContainer, type Room } from './room.ts';
import type { TraceStep } from './trace.ts';

/** Exit code of a container whose end nobody saw, as Docker has it. */
const unseenExitCode = 255;
const killedExitCode = 137;
const retryMs = 1_000;

export class Supervisor {
  readonly #room: Room;
  readonly #backlog: Backlog;

  constructor(room: Room) {
    this.#room = room;
    this.#backlog = new Backlog(retryMs, room.log, room.closing);
  }

  /** Reads a driver's events until the daemon closes. */
  async watch(driver: Driver): Promise<void> {
    const { log, closing } = this.#room;
    try {
      for await (const event of driver.watch(closing)) this.#take(event);
    } catch (error) {
      if (!closing.aborted)
        log.error({ err: error, isolation: driver.isolation }, 'A driver has stopped reporting events.');
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

  /** Writes an end down, now or when it can be, and sees to what follows. A second report of it changes nothing. */
  recordExit(id: ContainerId, status: ExitStatus, error = ''): void {
    this.inTheEnd(id, () => this.#recordExit(id, status, error));
    const life = this.#room.records.get(id)?.life;
    if (life === undefined || !isUp(life)) return;
    const presence = this.#room.presences.of(id);
    presence.exitUnwritten = true;
    presence.tell({ kind: 'unwritten-exit' });
  }

  /** Does what must be done in the end, while there is the container, and after what waits of it: see Backlog. */
  inTheEnd(id: ContainerId, step: () => void): void {
    this.#backlog.take(id, () => {
      if (this.#room.records.get(id) !== undefined) this.#room.makingRoom(step);
    });
  }

  #recordExit(id: ContainerId, status: ExitStatus, error: string): void {
    const room = this.#room;
    const record = room.records.need(id);
    const presence = room.presences.of(id);
    const { life } = record;
    if (!isUp(life)) {
      if (presence.starting !== null) presence.earlyExit = status;
      return;
    }
    const quickRestarts = status.finishedAt - life.startedAt >= longRunMs ? 0 : presence.quickRestarts;
    const stoppedByUser = record.stoppedByUser || presence.stopAsked;
    const delayMs = restartDelayMs(record.hostConfig.RestartPolicy, {
      exitCode: status.code,
      restartCount: record.restartCount,
      stoppedByUser,
      quickRestarts,
    });
    const finishedAt = Math.max(status.finishedAt, life.startedAt);
    room.together(() => {
      room.records.change(id, {
        life: after(life, {
          kind: 'exited',
          exitCode: status.code,
          oomKilled: status.oomKilled,
          at: finishedAt,
          error,
          restarts: delayMs !== null,
        }),
        stoppedByUser,
      });
      if (status.oomKilled) publishContainer(room, record, 'oom');
      publishContainer(room, record, 'die', {
        exitCode: String(status.code),
        execDuration: String(Math.round((finishedAt - life.startedAt) / 1000)),
      });
    });
    presence.exitUnwritten = false;
    presence.quickRestarts = quickRestarts;
    for (const exec of room.execs.values()) if (exec.container === id) finishExec(room, exec.id, 137);
    presence.tell({ kind: 'exit', exitCode: status.code, willRestart: delayMs !== null });
    if (delayMs !== null) this.restartLater(id, delayMs);
    else if (record.hostConfig.AutoRemove === true) this.removeSoon(id);
    else cleanUpSoon(room, id);
  }

  /**
   * Starts it again after the delay, unless somebody gives it up before (stop.ts). The container's state is
   * `restarting`, and while it is that the start is tried.
   */
  restartLater(id: ContainerId, delayMs: number): void {
    const room = this.#room;
    const presence = room.presences.of(id);
    const given = new AbortController();
    presence.restarting = given;
    presence.quickRestarts++;
    const over = () => given.signal.aborted || room.closing.aborted || room.records.get(id)?.life.at !== 'restarting';
    const work = async () => {
      await delay(delayMs, undefined, { signal: AbortSignal.any([given.signal, room.closing]), ref: false });
      await presence.queue.run(async () => {
        if (over()) return;
        await this.start(id, room.closing, { byPolicy: true });
        if (presence.restarting === given) presence.restarting = null;
      });
    };
    work().catch((error: unknown) => {
      if (given.signal.aborted || room.closing.aborted) return;
      room.log.warn({ container: id, err: error }, 'A container could not be started again by its restart policy.');
      // What was left of its last run could not be taken away, or how the start failed could not be written down.
      if (!over()) this.restartLater(id, quickDelayMs(presence.quickRestarts));
    });
  }

  /** `--rm`, when its turn comes; what keeps it from being removed is tried again. */
  removeSoon(id: ContainerId, againMs = retryMs): void {
    const room = this.#room;
    const presence = room.presences.of(id);
    presence.queue
      .run(async () => {
        if (presence.restartsAsked > 0) return; // this is asked for again when that is done
        const life = room.records.get(id)?.life.at;
        if (life === 'exited' || life === 'created') await removeContainer(room, id, false, room.closing);
        else if (life === 'removing' || life === 'dead') await finishRemoval(room, id, 0);
      })
      .catch((error: unknown) => {
        if (room.closing.aborted) return; // the next daemon's
        room.log.warn(
          { container: id, err: error },
          'A container could not be removed after its end; this is tried again.',
        );
        setTimeout(() => this.removeSoon(id, Math.min(againMs * 2, longestDelayMs)), againMs).unref();
      });
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

  #take(event: DriverEvent): void {
    switch (event.kind) {
      case 'exited':
        if (event.exec !== undefined) finishExec(this.#room, event.exec, event.status.code);
        else this.recordExit(event.container, event.status);
        return;
      case 'oom':
        noteContainer(this.#room, event.container, 'oom');
        return;
      case 'sandbox-gone':
        this.recordGone(containerOf(event.sandbox), event.reason);
        return;
    }
    event satisfies never;
  }
}
