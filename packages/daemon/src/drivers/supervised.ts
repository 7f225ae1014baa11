// Owns what a driver says to a supervisor in the same words whatever runs below it, and how it reads the answers
// (docs/protocol.md). What is particular to one isolation (PREPARE, START) is said by its driver.

import { FrameType, Tag, TlvWriter, type TlvReader } from '@twofold/contract';
import { exitOf } from '../host/conversation.ts';
import type { SupervisorConnection } from '../host/supervisor-connection.ts';
import type { ContainerState, ProcessRef, ProcessStreams, ResolvedUser, SandboxInterface } from './driver.ts';

/** FLAGS of SIGNAL. */
const everyProcess = 1;
/** FLAGS of EXEC: nobody is given the streams. */
export const execDetached = 8;

/** A request's beginning: the process that it means. */
export function target({ container, exec }: ProcessRef): TlvWriter {
  const payload = new TlvWriter().string(Tag.CONTAINER, container);
  return exec === undefined ? payload : payload.string(Tag.EXEC, exec);
}

export function signalRequest(process: ProcessRef, signal: number, all: boolean): TlvWriter {
  const payload = target(process).number(Tag.SIGNAL, signal);
  return all ? payload.number(Tag.FLAGS, everyProcess) : payload;
}

export function resizeRequest(process: ProcessRef, size: { rows: number; columns: number }): TlvWriter {
  return target(process).number(Tag.ROWS, size.rows).number(Tag.COLUMNS, size.columns);
}

/** NETWORK. An interface is found by its MAC: the host's name of it means nothing inside. */
export function networkRequest(interfaces: readonly SandboxInterface[]): TlvWriter {
  const payload = new TlvWriter();
  for (const { name, mac, addresses, gateway, table, mtu } of interfaces) {
    payload.list(Tag.INTERFACE, (list) => {
      list.string(Tag.NAME, name).string(Tag.MAC, mac).strings(Tag.ADDRESS, addresses).number(Tag.MTU, mtu);
      if (gateway !== undefined) list.string(Tag.GATEWAY, gateway);
      if (table !== undefined) list.number(Tag.TABLE, table);
    });
  }
  return payload;
}

/** See Driver.attach: the supervisor owns the streams, so it is asked also before there is a process. */
export async function attachThrough(
  connection: SupervisorConnection,
  container: ProcessRef,
  want: { stdin: boolean; stdout: boolean; stderr: boolean },
  signal: AbortSignal,
): Promise<ProcessStreams> {
  const flags = (want.stdin ? 1 : 0) | (want.stdout ? 2 : 0) | (want.stderr ? 4 : 0);
  const { streams } = await connection.openStreams(
    FrameType.ATTACH,
    target(container).number(Tag.FLAGS, flags),
    { stdin: want.stdin, output: want.stdout || want.stderr },
    signal,
  );
  return streams;
}

/** The answer to PREPARE and RESOLVE_USER. */
export function userOf(reply: TlvReader): ResolvedUser {
  return {
    uid: reply.number(Tag.UID) ?? 0,
    gid: reply.number(Tag.GID) ?? 0,
    groups: reply.numbers(Tag.GROUP),
    home: reply.string(Tag.HOME) ?? '/',
  };
}

/** One container of STATE; null for a state that is none of the contract's. */
export function stateOf(one: TlvReader): ContainerState | null {
  switch (one.string(Tag.STATE)) {
    case 'prepared':
      return { at: 'prepared' };
    case 'running': {
      const started = one.bytes(Tag.STARTED);
      return {
        at: 'running',
        pid: one.number(Tag.PID) ?? 0,
        startedAt: started?.length === 8 ? Number(started.readBigInt64LE() / 1_000_000n) : 0,
      };
    }
    case 'exited':
      return { at: 'exited', status: exitOf(one) };
    default:
      return null;
  }
}
