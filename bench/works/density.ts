// Owns what containers cost while they do nothing: memory by what it consists of, processor time, and the daemons'
// memory meanwhile.

import { setTimeout as sleep } from 'node:timers/promises';
import { Sleepers } from '../containers.ts';
import type { House } from '../house.ts';
import type { Peer } from '../peer.ts';
import {
  belongingTo,
  besides,
  hostProcesses,
  memoryByName,
  processorSeconds,
  withDescendants,
  type HostProcess,
} from '../processes.ts';
import { titles, type Row } from '../row.ts';
import { mean, sum } from '../statistics.ts';
import { workerMemory, workerParts } from '../worker-memory.ts';

/** What the container itself was asked to run. */
const program = 'sleep';

export async function measureDensity(house: House): Promise<Row[]> {
  const { peers, twofold, missing } = house;
  const rows: Row[] = [];
  for (const peer of peers.filter((each) => !Object.values(twofold.byIsolation).includes(each))) {
    try {
      await using containers = await asleep(house, peer);
      rows.push(...ordinary(peer.name, containers.ids), ...daemonMemory(peer.name, peer, containers.ids));
    } catch (error) {
      missing.push({ what: `${peer.name}: ${titles.memory}`, why: (error as Error).message });
    }
  }
  const { process: ordinaryPeer, hyperv } = twofold.byIsolation;
  await using vms = await asleep(house, hyperv);
  rows.push(...(await idle(house, vms.ids)), ...machines(hyperv.name, vms.ids));
  await using processes = await asleep(house, ordinaryPeer);
  rows.push(
    ...ordinary(ordinaryPeer.name, processes.ids),
    ...daemonMemory('twofold', ordinaryPeer, [...vms.ids, ...processes.ids]),
  );
  return rows;
}

/**
 * So many of them, each started when the engine had come to rest: of hyperv each one is a VM that waited, or this
 * throws.
 */
async function asleep({ twofold, options, tell }: House, peer: Peer): Promise<Sleepers> {
  tell(`${options.containers} containers of ${peer.name} …`);
  await using undo = new AsyncDisposableStack();
  const containers = undo.use(new Sleepers(peer, options.image));
  for (let count = 0; count < options.containers; count++) {
    await peer.settled?.();
    const waiting = await twofold.workers();
    const id = await containers.add();
    if (peer === twofold.byIsolation.hyperv && !waiting.includes(partsOf(id).worker.pid))
      throw new Error('A container came by its VM otherwise than those of the other rows: none waited.');
  }
  await peer.settled?.();
  undo.move();
  return containers;
}

/** A Hyper-V container is a supervisor and its worker. */
function partsOf(id: string, processes = hostProcesses()): { worker: HostProcess; supervisors: HostProcess[] } {
  const own = belongingTo([id], processes);
  const worker = own.find(({ name }) => name === 'vmwp');
  if (worker === undefined) throw new Error(`No worker process belongs to ${id}.`);
  return { worker, supervisors: own.filter((each) => each !== worker) };
}

function machines(peer: string, ids: readonly string[]): Row[] {
  const processes = hostProcesses();
  const each = ids.map((id) => {
    const { worker, supervisors } = partsOf(id, processes);
    return { ...workerMemory(worker.pid), supervisor: sum(supervisors.map(({ pssMiB }) => pssMiB)) };
  });
  const names = [...workerParts, 'supervisor'] as const;
  const parts = Object.fromEntries(names.map((name) => [name, sum(each.map((one) => one[name])) / each.length]));
  const totals = each.map((one) => sum(Object.values(one)));
  return [
    { work: titles.memory, unit: 'MiB', peer, summary: mean(totals), parts },
    {
      work: titles.withoutTranslation,
      unit: 'MiB',
      peer,
      summary: mean(totals.map((total, index) => total - each[index]!['translation buffer'])),
    },
  ];
}

function ordinary(peer: string, ids: readonly string[]): Row[] {
  const processes = hostProcesses();
  const each = ids.map((id) => belongingTo([id], processes));
  const parts = Object.fromEntries(
    Object.entries(memoryByName(each.flat())).map(([name, total]) => [name, total / ids.length]),
  );
  const memory = (of: readonly HostProcess[]): number => sum(of.map(({ pssMiB }) => pssMiB));
  return [
    { work: titles.memory, unit: 'MiB', peer, summary: mean(each.map(memory)), parts },
    {
      work: titles.engineMemory,
      unit: 'MiB',
      peer,
      summary: mean(each.map((own) => memory(own.filter(({ name }) => name !== program)))),
    },
  ];
}

/**
 * The daemon, and what it started that is there neither for a container nor for the next one (a VM that waits): the VM
 * that others are forked from, too.
 */
function daemonMemory(name: string, { daemonPid }: Peer, ids: readonly string[]): Row[] {
  if (daemonPid === null) return [];
  const processes = hostProcesses();
  const others = new Set([
    ...belongingTo(ids, processes),
    ...besides(
      processes.filter((each) => each.name === 'vmwp'),
      processes,
    ),
  ]);
  const own = withDescendants(new Set([daemonPid]), processes)
    .filter((each) => !others.has(each))
    .map((each) => (each.pid === daemonPid ? { ...each, name: 'the daemon itself' } : each));
  return [
    {
      work: titles.daemonMemory,
      unit: 'MiB',
      peer: name,
      summary: mean([sum(own.map(({ pssMiB }) => pssMiB))]),
      parts: memoryByName(own),
    },
  ];
}

async function idle({ options, tell, twofold }: House, ids: readonly string[]): Promise<Row[]> {
  tell(`watching them for ${options.idleSeconds} s …`);
  const processes = hostProcesses();
  const pids = ids.map((id) => {
    const { worker, supervisors } = partsOf(id, processes);
    return [worker, ...supervisors].map(({ pid }) => pid);
  });
  const used = (): number[] => pids.map((each) => sum(each.map(processorSeconds)));
  const [before, began] = [used(), performance.now()];
  await sleep(options.idleSeconds * 1000);
  const [after, seconds] = [used(), (performance.now() - began) / 1000];
  return [
    {
      work: titles.idle,
      unit: '%',
      peer: twofold.byIsolation.hyperv.name,
      summary: mean(after.map((value, index) => ((value - before[index]!) / seconds) * 100)),
    },
  ];
}
