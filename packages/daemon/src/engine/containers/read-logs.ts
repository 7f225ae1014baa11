// Owns which log is read, and when a follower has it all: the log itself is read by logs/.

import { TwofoldError, type ContainerId } from '@twofold/contract';
import { readLog } from '../../logs/reader.ts';
import type { Containers, LogLine } from '../engine.ts';
import { isUp } from '../lifecycle.ts';
import type { Room } from '../room.ts';

type Options = Parameters<Containers['logs']>[1];

/** See Containers.logs. Throws at once for a container that has none. */
export function containerLogs(
  room: Room,
  id: ContainerId,
  options: Options,
  signal: AbortSignal,
): AsyncIterable<LogLine> {
  const record = room.records.need(id);
  if (record.hostConfig.LogConfig?.Type === 'none')
    throw new TwofoldError('unsupported', 'configured logging driver does not support reading');
  const until = AbortSignal.any([signal, room.closing]);
  return options.follow
    ? follow(room, id, options, until)
    : readLog(record.logPath, { ...options, follow: null }, until);
}

async function* follow(room: Room, id: ContainerId, options: Options, signal: AbortSignal): AsyncIterable<LogLine> {
  const record = room.records.need(id);
  const ended = new AbortController();
  // A container that has not run yet is followed from its start; between a restart's end and beginning there is more to
  // come.
  using _listening = room.presences.of(id).onEnding((ending) => {
    if (ending.kind !== 'unwritten-exit' && (ending.kind !== 'exit' || !ending.willRestart)) ended.abort();
  });
  if (!isUp(record.life) && record.life.at !== 'restarting' && room.presences.of(id).starting === null) ended.abort();
  yield* readLog(record.logPath, { ...options, follow: ended.signal }, signal);
}
