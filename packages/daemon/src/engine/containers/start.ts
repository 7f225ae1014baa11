// Owns the start of a container: steps, each with its undo, so that a start that fails (or is called off) leaves
// nothing behind. The caller holds the container's queue. Does not own the restart policy (supervisor.ts) nor what runs
// (spec/).

import { mkdir, rm } from 'node:fs/promises';
import { TwofoldError, isTwofoldError, type ContainerId, type NetworkId } from '@twofold/contract';
import type { ProcessRef } from '../../drivers/driver.ts';
import type { Endpoint } from '../../networks/networks.ts';
import type { Adapter } from '../engine.ts';
import { after, exitCodeOf, judge } from '../lifecycle.ts';
import { containerDirectory, sandboxOf, writableDirectory } from '../places.ts';
import { publishContainer, publishNetwork, type Room } from '../room.ts';
import { Trace, type TraceStep } from '../trace.ts';
import { cleanUp, cleared } from './clean-up.ts';
import { checkFreeSpace } from './free-space.ts';
import { containerSpec, endpointNames, sandboxSpec } from './plan.ts';
import type { StoredContainer } from './records.ts';
import { writeProvidedFiles } from './provided-files.ts';

/** Longer than any start takes, a cold boot of a VM on a loaded machine included. */
const startTimeoutMs = 180_000;

/** Starts it and tells how long each step took, or throws and leaves it as it was, with the error written down. */
export async function startContainer(
  room: Room,
  id: ContainerId,
  signal: AbortSignal,
  options: { byPolicy?: boolean } = {},
): Promise<TraceStep[]> {
  const record = room.records.need(id);
  if (options.byPolicy !== true || record.life.at !== 'restarting') {
    const verdict = judge('start', record.life, record);
    if (verdict.is === 'refused') throw new TwofoldError(verdict.code, verdict.message);
  }
  const presence = room.presences.of(id);
  await cleanUp(room, id);
  presence.starting = new AbortController();
  presence.earlyExit = null;
  presence.endedHard = false;
  presence.stopAsked = false;
  const within = AbortSignal.any([signal, presence.starting.signal, room.closing, AbortSignal.timeout(startTimeoutMs)]);
  const trace = new Trace();
  try {
    await takeSteps(room, record, trace, within);
  } catch (error) {
    return noteFailure(room, record, error, within);
  } finally {
    presence.starting = null;
  }
  room.log.debug({ container: id, ms: trace.report() }, 'A container was started.');
  joinLate(room, record);
  return trace.steps();
}

async function takeSteps(room: Room, record: StoredContainer, trace: Trace, signal: AbortSignal): Promise<void> {
  const { settings, networks } = room;
  const { id } = record;
  const driver = room.driver(record.isolation);
  const presence = room.presences.of(id);
  const ref: ProcessRef = { sandbox: sandboxOf(id), container: id };
  // Undoes in reverse order; no step throws, or it would bury the first error.
  await using undo = new AsyncDisposableStack();
  const onFailure = (what: string, step: () => Promise<void> | void) =>
    undo.defer(async () => {
      try {
        await step();
      } catch (error) {
        room.log.warn({ container: id, err: error, what }, 'A failed start could not be undone completely.');
      }
    });

  await trace.step(
    'directories',
    (async () => {
      checkFreeSpace(settings);
      await mkdir(containerDirectory(settings, id), { recursive: true, mode: 0o700 });
      await mkdir(writableDirectory(settings, id), { recursive: true, mode: 0o700 });
    })(),
  );

  await ownAddressesFree(room, record, signal);
  onFailure('addresses', () => networks.release(id));
  const endpoints = reserve(room, record);
  // The switch has a name server's address to write down only when it is up.
  await trace.step('switches', allDone(endpoints.map(({ network }) => networks.ensure(network, signal))));
  await trace.step('files', writeProvidedFiles(room, record, endpoints));

  const sandbox = sandboxSpec(settings, record, endpoints);
  await mkdir(sandbox.directory, { recursive: true, mode: 0o700 });
  onFailure('sandbox', async () => {
    await driver.deleteSandbox(sandbox.id, sandbox.directory);
    await rm(sandbox.directory, { recursive: true, force: true });
    presence.sandboxUp = false;
  });
  presence.sandboxUp = true;
  const info = await trace.step('sandbox', driver.createSandbox(sandbox, signal), ({ origin }) => origin);

  onFailure('container', () => driver.deleteContainer(ref));
  for (const endpoint of endpoints) onFailure('link', () => networks.disconnect(endpoint));
  const preparing = trace.step('prepare', driver.createContainer(containerSpec(room, record), signal));
  const connecting = async () => {
    // One after the other: the kernel numbers interfaces in the order in which they come, and tools show them in that
    // order.
    for (const endpoint of endpoints) await networks.connect(endpoint, driver.endpointKind, info.netnsPid, signal);
  };
  const configuring = trace
    .step('connect', connecting())
    .then(() => trace.step('network', driver.configureNetwork(sandbox.id, sandbox, signal)));
  await allDone([preparing, configuring]);
  const user = await preparing;
  const spec = room.specifications.container(record, user);
  for (const attachment of presence.pending) {
    await attachment.connect(await trace.step('attach', driver.attach(ref, attachment.want, signal)));
    presence.pending.delete(attachment);
  }
  // A terminal's input goes on after a client has let go of it: the next one takes it up.
  const options = {
    openStdin: record.config.OpenStdin ?? false,
    stdinOnce: record.config.StdinOnce === true && record.config.Tty !== true,
  };
  const { pid } = await trace.step('start', driver.startContainer(ref, spec, options, signal));
  // What can't be written down does not run: the undo ends it.
  writeStart(room, record, pid, endpoints);
  undo.move();
}

function writeStart(room: Room, record: StoredContainer, pid: number, endpoints: readonly Endpoint[]): void {
  room.together(() => {
    room.records.change(record.id, {
      life: after(record.life, { kind: 'started', pid, at: Date.now() }),
      stoppedByUser: false,
      restartCount: record.restartCount + restartsOf(record),
      adapters: record.adapters.map((adapter) => leased(adapter, endpoints)),
    });
    for (const { network } of endpoints) publishNetwork(room, 'connect', room.networks.find(network), record.id);
    publishContainer(room, record, 'start');
  });
}

/** 1 for a start by the restart policy, whether it succeeds or not. */
const restartsOf = ({ life }: StoredContainer): number => (life.at === 'restarting' ? 1 : 0);

/** Attachments that came after the others had been connected and before the container was running. */
function joinLate(room: Room, record: StoredContainer): void {
  const { pending } = room.presences.of(record.id);
  for (const attachment of pending) {
    room
      .driver(record.isolation)
      .attach({ sandbox: sandboxOf(record.id), container: record.id }, attachment.want, room.closing)
      .then(
        (streams) => attachment.connect(streams),
        () => attachment.giveUp(),
      );
  }
  pending.clear();
}

/** All of them have ended before this does, well or not: the undo must not run beside a step. */
async function allDone(work: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}

/**
 * Endpoints of the connected adapters, in their order. Static addresses first, or one that is chosen could be in their
 * way.
 */
function reserve(room: Room, record: StoredContainer): Endpoint[] {
  const known = new Set(room.networks.list().map(({ id }) => id));
  const connected = record.adapters
    .flatMap((adapter) => (adapter.network === null ? [] : [{ adapter, network: adapter.network }]))
    .map((one, index) => ({ ...one, name: `eth${index}` }));
  const endpoints = new Map<string, Endpoint>();
  for (const { adapter, network, name } of connected.toSorted(
    (a, b) => Number(b.adapter.address !== '') - Number(a.adapter.address !== ''),
  )) {
    if (!known.has(network.id)) throw new TwofoldError('network-not-found', `network ${network.name} not found`);
    const { address, mac } = adapter;
    endpoints.set(
      name,
      room.networks.reserve({
        network: network.id,
        container: record.id,
        adapter: adapter.id,
        name,
        names: endpointNames(record, adapter),
        ...(address ? { address } : { spare: staticAddresses(room, network.id) }),
        ...(mac ? { mac } : {}),
      }),
    );
  }
  return connected.map(({ name }) => endpoints.get(name)!);
}

/** An address of its own may be on its way back from one that has just ended. */
async function ownAddressesFree(room: Room, { id, adapters }: StoredContainer, signal: AbortSignal): Promise<void> {
  for (const { network, address, mac } of adapters) {
    if (network === null || (address === '' && mac === '')) continue;
    for (const other of room.networks.endpoints(network.id))
      if (other.container !== id && (other.mac === mac || other.addresses.some((one) => one.startsWith(`${address}/`))))
        await cleared(room, other.container, signal);
  }
}

/** Of all adapters on a network, whether their containers run or not. */
function staticAddresses(room: Room, network: NetworkId): string[] {
  return room.records
    .all()
    .flatMap(({ adapters }) =>
      adapters.flatMap((adapter) =>
        adapter.address !== '' && adapter.network?.id === network ? [adapter.address] : [],
      ),
    );
}

function leased(adapter: Adapter, endpoints: readonly Endpoint[]): Adapter {
  const endpoint = endpoints.find((one) => one.adapter === adapter.id);
  if (endpoint === undefined) return { ...adapter, lease: null };
  const [address = '', prefix = '0'] = endpoint.addresses[0]?.split('/') ?? [];
  return {
    ...adapter,
    lease: {
      name: endpoint.name,
      address,
      prefixLength: Number(prefix),
      gateway: endpoint.gateway ?? '',
      mac: endpoint.mac,
    },
  };
}

/**
 * Writes the failure down, tells those who wait, and throws what the caller of start gets: Docker's words for a command
 * that isn't there.
 */
function noteFailure(room: Room, record: StoredContainer, error: unknown, within: AbortSignal): never {
  const presence = room.presences.of(record.id);
  const failure = worded(error, within);
  // A stop called off what the restart policy had begun: the end of the last run stands.
  const calledOff = record.life.at === 'restarting' && presence.starting?.signal.aborted === true;
  const exitCode = isTwofoldError(failure, 'command-not-found')
    ? 127
    : isTwofoldError(failure, 'command-not-executable')
      ? 126
      : 128;
  try {
    room.records.change(
      record.id,
      calledOff
        ? { life: after(record.life, { kind: 'restart-given-up' }) }
        : {
            life: after(record.life, { kind: 'start-failed', exitCode, error: failure.message, at: Date.now() }),
            restartCount: record.restartCount + restartsOf(record),
          },
    );
  } catch (unwritten) {
    room.log.error({ container: record.id, err: unwritten }, 'The failure of a start could not be saved.');
    if (record.life.at === 'restarting') throw failure; // it is still, and will be tried again
  }
  if (calledOff) presence.tell({ kind: 'exit', exitCode: exitCodeOf(record.life), willRestart: false });
  else {
    for (const attachment of presence.pending) attachment.giveUp();
    presence.pending.clear();
    presence.tell({ kind: 'start-failed', exitCode, error: failure.message });
  }
  throw failure;
}

function worded(error: unknown, within: AbortSignal): TwofoldError {
  if (isTwofoldError(error, 'command-not-found') || isTwofoldError(error, 'command-not-executable')) {
    const text = error.message.startsWith('exec:') ? error.message : `exec: ${error.message}`;
    return new TwofoldError(
      error.code,
      `failed to create task for container: failed to create shim task: OCI runtime create failed: unable to start container process: ${text}: unknown`,
      { cause: error },
    );
  }
  if (within.aborted)
    return new TwofoldError(
      'cancelled',
      within.reason instanceof DOMException && within.reason.name === 'TimeoutError'
        ? 'The container did not start in time.'
        : 'The start was cancelled.',
      { cause: error },
    );
  if (error instanceof TwofoldError) return error;
  if ((error as NodeJS.ErrnoException).code === 'ENOSPC')
    return new TwofoldError('no-space', 'The disk is full.', { cause: error });
  return new TwofoldError('internal', 'The container could not be started.', { cause: error });
}
