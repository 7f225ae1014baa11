// Owns the ends of a container that somebody asks for: stop, kill. That it has ended is the supervisor's to say; here
// it is waited for.

import { TwofoldError, isTwofoldError, signalNumber, stopSignalOf, type ContainerId } from '@twofold/contract';
import { discardLog } from '../../logs/discard.ts';
import { after, isUp, judge } from '../lifecycle.ts';
import { sandboxOf } from '../places.ts';
import { noteContainer, type Room } from '../room.ts';
import { cleanUpSoon } from './clean-up.ts';
import { orAborted } from './queue.ts';

const defaultStopSeconds = 10;
/** After SIGKILL an end that does not come is the sandbox's fault; then it is ended from outside. */
const killTimeoutMs = 10_000;
/** A supervisor or a guest that has not answered by then hangs. */
const answerTimeoutMs = 5_000;
/**
 * Node fires a timer beyond this at once, which would be a kill in place of a patient stop: 24 days are as good as
 * more.
 */
const longestTimerMs = 2 ** 31 - 1;

export interface StopOptions {
  readonly timeoutSeconds?: number;
  readonly signal?: string;
}

/**
 * See Containers.stop. The caller holds the container's queue while the container is asked to end, and not while the
 * function that this gives waits for it: what others ask for meanwhile must not wait for somebody's patience.
 */
export async function askToStop(
  room: Room,
  id: ContainerId,
  options: StopOptions,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const record = room.records.need(id);
  const verdict = judge('stop', record.life, record);
  if (verdict.is === 'refused') throw new TwofoldError(verdict.code, verdict.message);
  const number = options.signal ? signalNumber(options.signal) : stopSignalOf(record.config);
  const seconds = options.timeoutSeconds ?? record.config.StopTimeout ?? defaultStopSeconds;
  if (giveUpRestart(room, id)) return async () => noteContainer(room, id, 'stop');
  noteStop(room, id);
  const heard =
    (record.life.at !== 'paused' || (await isAnswered(resume(room, id), signal))) &&
    (await send(room, id, number, signal));
  const patienceMs = seconds < 0 ? null : Math.min(seconds * 1000, longestTimerMs);
  return async () => {
    const ended = heard && (await endsWithin(room, id, patienceMs, signal));
    if (!ended) await killForGood(room, id, signal);
    noteContainer(room, id, 'stop');
  };
}

/** See Containers.kill. Not in the queue: it must reach a container whose start, commit or conversion holds it. */
export async function killContainer(room: Room, id: ContainerId, text: string, signal: AbortSignal): Promise<void> {
  const record = room.records.need(id);
  const number = signalNumber(text === '' ? 'SIGKILL' : text);
  const verdict = judge('kill', record.life, record);
  if (verdict.is === 'refused') throw new TwofoldError(verdict.code, verdict.message);
  const ends = number === 9 || number === stopSignalOf(record.config);
  if (record.life.at === 'restarting') {
    if (ends) giveUpRestart(room, id);
    return;
  }
  if (ends) noteStop(room, id);
  if (number === 9) return killForGood(room, id, signal);
  await room.driver(record.isolation).signal({ sandbox: sandboxOf(id), container: id }, number, false);
  noteContainer(room, id, 'kill', { signal: String(number) });
}

/** Before the signal, and no condition of it: a container ends on a full disk, too, and that makes room again. */
export function noteStop(room: Room, id: ContainerId): void {
  room.presences.of(id).stopAsked = true;
  try {
    room.makingRoom(() => room.records.change(id, { stoppedByUser: true }));
  } catch (error) {
    room.log.warn({ container: id, err: error }, 'A request to end a container could not be saved.');
  }
}

/**
 * SIGKILL, then the end of the sandbox if need be. After it the container is not running. `discard`: its log is not
 * wanted any more, and makes room for writing its end down.
 */
export async function killForGood(
  room: Room,
  id: ContainerId,
  signal: AbortSignal,
  { discard = false } = {},
): Promise<void> {
  const record = room.records.get(id);
  if (record === undefined || !isUp(record.life)) return;
  const heard = await send(room, id, 9, signal);
  if (discard) await discardLog(record.logPath);
  if (heard && record.life.at === 'paused') await isAnswered(resume(room, id), signal).catch(() => undefined);
  // What is discarded next needs the row to say that it has ended.
  const written = discard;
  if (heard && (await endsWithin(room, id, killTimeoutMs, signal, { written }))) return;
  room.log.warn({ container: id }, 'A container did not end by SIGKILL; it is ended from outside.');
  await endHard(room, id);
  if (!(await endsWithin(room, id, killTimeoutMs, signal, { written })))
    throw new TwofoldError('internal', `container ${id} did not end`);
}

/** Kills it from outside. False where nothing of it is there. */
export async function endHard(room: Room, id: ContainerId): Promise<boolean> {
  const presence = room.presences.of(id);
  // First, since the end may be told before the call returns.
  presence.endedHard = true;
  return room.driver(room.records.need(id).isolation).endHard({ sandbox: sandboxOf(id), container: id });
}

/** A container that waits for its restart is let rest. True when it was so. */
export function giveUpRestart(room: Room, id: ContainerId): boolean {
  const presence = room.presences.of(id);
  const { life } = room.records.need(id);
  if (life.at !== 'restarting') return false;
  // The row first: when that fails the container waits on, and who asked hears of it.
  room.makingRoom(() =>
    room.records.change(id, { life: after(life, { kind: 'restart-given-up' }), stoppedByUser: true }),
  );
  presence.restarting?.abort();
  presence.tell({ kind: 'exit', exitCode: life.exitCode, willRestart: false });
  cleanUpSoon(room, id);
  return true;
}

async function resume(room: Room, id: ContainerId): Promise<void> {
  await room.driver(room.records.need(id).isolation).resume({ sandbox: sandboxOf(id), container: id });
}

/** False when nobody took the signal in time. A process that has just ended can't be signalled, which is as good. */
async function send(room: Room, id: ContainerId, number: number, signal: AbortSignal): Promise<boolean> {
  try {
    if (
      !(await isAnswered(
        room.driver(room.records.need(id).isolation).signal({ sandbox: sandboxOf(id), container: id }, number, false),
        signal,
      ))
    )
      return false;
    noteContainer(room, id, 'kill', { signal: String(number) });
  } catch (error) {
    if (!isTwofoldError(error, 'container-not-running') && !isTwofoldError(error, 'sandbox-gone')) throw error;
  }
  return true;
}

/** False when it was not in time. */
async function isAnswered(asked: Promise<void>, signal: AbortSignal): Promise<boolean> {
  const late = AbortSignal.timeout(answerTimeoutMs);
  try {
    await orAborted(asked, AbortSignal.any([signal, late]));
    return true;
  } catch (error) {
    if (late.aborted && !signal.aborted) return false;
    throw error;
  }
}

/**
 * Whether it is not running (any more) within the time; null waits for ever. That its end can't be written down yet
 * holds up only who needs that (`written`).
 */
export async function endsWithin(
  room: Room,
  id: ContainerId,
  withinMs: number | null,
  signal: AbortSignal,
  { written = false } = {},
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const presence = room.presences.of(id);
  using _listener = presence.onEnding(({ kind }) => {
    if (!written || kind !== 'unwritten-exit') resolve(true);
  });
  const record = room.records.get(id);
  if (record === undefined || !isUp(record.life) || (presence.exitUnwritten && !written)) return true;
  const timer = withinMs === null ? undefined : setTimeout(() => resolve(false), withinMs);
  try {
    return await orAborted(promise, signal);
  } finally {
    clearTimeout(timer);
  }
}
