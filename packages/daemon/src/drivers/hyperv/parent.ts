// Owns the one VM that others are forked from: a clone of the standard size's template that has rehearsed and then
// stands still, so that what comes of it has QEMU's translated code, its heap and the guest's memory in common with it
// until it writes. Under emulation only: KVM gives no VM to another process.
//
//   absent ─rehearsed, stopped, brought to rest▶ ready ─dies, or a fork of it failed▶ absent; parents.ts makes another
//
// Does not own what comes of it.

import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { FrameType, TlvWriter, TwofoldError } from '@twofold/contract';
import { runQmp } from '../../host/qmp.ts';
import { SupervisorConnection } from '../../host/supervisor-connection.ts';
import type { Warn } from '../driver.ts';
import { sandboxParts, spareDisks } from './places.ts';
import { rehearse } from './rehearsal.ts';
import { bootSandbox, endSandbox, nobodysSandbox, patience, templateMac } from './sandbox.ts';
import type { Making, Template } from './template.ts';
import type { Origin } from './worker.ts';

const makeTimeoutMs = 60_000;
/** Code is translated when it runs for the first time, and some of it runs the second time only. */
const rehearsals = 2;
/** What the guest still has to do afterwards would be done by each fork. */
const settleMs = 300;
/** For QEMU to end what it does when a VM is stopped. */
const restMs = 50;

/** A VM that can be forked. */
export interface Parent {
  /** Of its forks. */
  readonly origin: Origin & { readonly from: 'fork' };
  /** Settled when it can be forked no more, with the reason where it was not our doing. */
  readonly gone: Promise<unknown>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Makes it. Throws when it can't be had; nothing of it is left then. */
export async function makeParent(
  { settings, accelerator, cgroups, rehearsal }: Making,
  template: Template,
  warn: Warn,
  signal: AbortSignal,
): Promise<Parent> {
  const spec = await nobodysSandbox(settings, settings.machine, 'parent', 'waiting');
  const { directory, cgroupPath } = spec;
  const { socket: own, forks: socket } = sandboxParts(directory);
  const connection = new SupervisorConnection(own);
  const closing = new AbortController();
  const end = async () => {
    closing.abort();
    connection[Symbol.dispose]();
    await endSandbox(directory, cgroups, { discard: true });
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const within = AbortSignal.any([signal, AbortSignal.timeout(makeTimeoutMs)]);
    await bootSandbox(
      spec,
      settings,
      accelerator,
      cgroups,
      { from: 'parent', memory: template.memory, saved: template.saved, disk: template.disk, socket, background: true },
      within,
    );
    using _ = patience(cgroupPath, cgroups);
    await connection.request(FrameType.CONFIGURE, new TlvWriter(), within);
    for (let round = 0; round < rehearsals; round += 1)
      await rehearse(connection, directory, templateMac, rehearsal, within);
    await wait(settleMs, undefined, { signal: within });
    await runQmp(connection, 'stop the VM that is forked', [], [{ execute: 'stop', arguments: {} }], within);
    await wait(restMs, undefined, { signal: within });
    await bringToRest(socket, within);
    cgroups.background(cgroupPath, false); // whoever asks for a fork waits for it
    return {
      origin: { from: 'fork', socket, disk: join(spareDisks(settings.dataRoot), `${spec.id}.ext4`) },
      gone: watch(connection, closing.signal),
      [Symbol.asyncDispose]: end,
    };
  } catch (error) {
    await end().catch((failed: unknown) =>
      warn('The remains of a VM that was to be forked could not be removed.', { err: failed }),
    );
    throw error;
  }
}

/**
 * The first connection does it (native/fork/serve.c): one that asks for nothing, and is told so once that has been
 * done.
 */
async function bringToRest(socket: string, signal: AbortSignal): Promise<void> {
  const asker = connect({ path: socket, signal });
  let answered = false;
  asker
    .on('data', () => {
      answered = true;
    })
    .end();
  await once(asker, 'close', { signal });
  if (!answered) throw new TwofoldError('sandbox-failed', 'The VM to be forked did not pause.');
}

async function watch(connection: SupervisorConnection, closing: AbortSignal): Promise<unknown> {
  try {
    for await (const _ of connection.watch(closing));
  } catch (error) {
    return closing.aborted ? undefined : error;
  }
  return undefined;
}
