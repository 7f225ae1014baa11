// Owns further processes in running containers (docker exec). They live in memory: an exec of before a restart of the
// daemon runs on, but nobody can ask for it any more.

import {
  TwofoldError,
  isTwofoldError,
  newId,
  type ContainerId,
  type ExecCreateRequest,
  type ExecId,
} from '@twofold/contract';
import type { ProcessRef, ProcessStreams } from '../drivers/driver.ts';
import type { Attachment, ExecRecord, Execs } from './engine.ts';
import { judge } from './lifecycle.ts';
import { sandboxOf } from './places.ts';
import { noteContainer, type Room } from './room.ts';

/** Ended ones are kept this long for those who ask for the exit code. */
const keptMs = 300_000;
const startTimeoutMs = 60_000;

export function createExecs(room: Room): Execs {
  const need = (reference: string): ExecRecord => {
    const exec =
      room.execs.get(reference as ExecId) ?? [...room.execs.values()].find(({ id }) => id.startsWith(reference));
    if (exec === undefined || reference === '')
      throw new TwofoldError('exec-not-found', `No such exec instance: ${reference}`);
    return exec;
  };
  const refOf = (exec: ExecRecord): Required<ProcessRef> => ({
    sandbox: sandboxOf(exec.container),
    container: exec.container,
    exec: exec.id,
  });
  const startable = (reference: string): ExecRecord => {
    const exec = need(reference);
    const record = room.records.need(exec.container);
    refuse(judge('exec', record.life, record));
    return exec;
  };
  return {
    async create(reference, request) {
      const record = room.records.find(reference);
      refuse(judge('exec', record.life, record));
      if ((request.Cmd ?? []).length === 0) throw new TwofoldError('invalid-argument', 'No exec command specified');
      const id = newId<ExecId>();
      room.execs.set(id, { id, container: record.id, request, life: { at: 'created' } });
      noteContainer(room, record.id, `exec_create: ${request.Cmd!.join(' ')}`, { execID: id });
      return id;
    },
    find: need,
    startable,
    async start(reference, options, signal) {
      const exec = startable(reference);
      if (exec.life.at === 'running') throw new TwofoldError('conflict', `exec command ${exec.id} is already running`);
      if (exec.life.at === 'exited') throw new TwofoldError('conflict', `exec command ${exec.id} has already run`);
      const record = room.records.need(exec.container);
      const { consoleSize } = options;
      const request: ExecCreateRequest = {
        ...exec.request,
        ...(consoleSize === undefined
          ? {}
          : { ConsoleSize: [consoleSize.rows, consoleSize.columns] as [number, number] }),
      };
      const driver = room.driver(record.isolation);
      const within = AbortSignal.any([signal, AbortSignal.timeout(startTimeoutMs)]);
      // Claimed before the first await: of two starts, the second is refused.
      room.execs.set(exec.id, { ...exec, life: { at: 'running', pid: 0 } });
      try {
        const user = await driver.resolveUser(refOf(exec), request.User || (record.config.User ?? ''), within);
        const process = room.specifications.exec(record, request, user);
        noteContainer(room, record.id, `exec_start: ${request.Cmd!.join(' ')}`, { execID: exec.id });
        const { pid, streams } = await driver.exec(
          refOf(exec),
          { process, stdin: request.AttachStdin === true && !options.detach },
          { attached: !options.detach },
          within,
        );
        const present = room.execs.get(exec.id);
        if (present?.life.at === 'running') room.execs.set(exec.id, { ...present, life: { at: 'running', pid } });
        return streams === null ? null : attachmentOf(room, exec, streams);
      } catch (error) {
        const exitCode = isTwofoldError(error, 'command-not-found') ? 127 : 126;
        finishExec(room, exec.id, exitCode);
        if (isTwofoldError(error, 'command-not-found') || isTwofoldError(error, 'command-not-executable')) {
          const text = error.message.startsWith('exec:') ? error.message : `exec: ${error.message}`;
          throw new TwofoldError(
            error.code,
            `OCI runtime exec failed: exec failed: unable to start container process: ${text}: unknown`,
            { cause: error },
          );
        }
        throw error;
      }
    },
    async resize(reference, size) {
      const exec = need(reference);
      if (exec.life.at !== 'running')
        throw new TwofoldError('container-not-running', `exec process ${exec.id} is not running`);
      await room.driver(room.records.need(exec.container).isolation).resize(refOf(exec), size);
    },
  };
}

/** Writes an exec's end down; a second report changes nothing. */
export function finishExec(room: Room, id: ExecId, exitCode: number): void {
  const exec = room.execs.get(id);
  if (exec === undefined || exec.life.at === 'exited') return;
  const started = exec.life.at === 'running';
  room.execs.set(id, {
    ...exec,
    life: { at: 'exited', pid: exec.life.at === 'running' ? exec.life.pid : 0, exitCode },
  });
  if (started) noteContainer(room, exec.container, 'exec_die', { execID: id, exitCode: String(exitCode) });
  setTimeout(() => room.execs.delete(id), keptMs).unref();
}

/** Ids of a container's execs that have not ended. */
export function execsOf(room: Room, id: ContainerId): ExecId[] {
  return [...room.execs.values()]
    .filter((exec) => exec.container === id && exec.life.at === 'running')
    .map((exec) => exec.id);
}

function attachmentOf(room: Room, exec: ExecRecord, streams: ProcessStreams): Attachment {
  streams.exit.then(
    (status) => finishExec(room, exec.id, status.code),
    () => finishExec(room, exec.id, 137),
  );
  return {
    tty: exec.request.Tty === true,
    stdin: streams.stdin,
    output: (async function* () {
      yield* streams.output;
      // A client asks for the exit code as soon as the output has ended; it must be there.
      await streams.exit.catch(() => undefined);
    })(),
    [Symbol.asyncDispose]: () => Promise.resolve(streams[Symbol.asyncDispose]()),
  };
}

function refuse(verdict: ReturnType<typeof judge>): void {
  if (verdict.is === 'refused') throw new TwofoldError(verdict.code, verdict.message);
}
