// Whatever write fails, and however long: memory is what the rows say, who is told anything is told what is written,
// and in the end what was to happen has happened.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTwofoldError, type ContainerId, type SandboxId } from '@twofold/contract';
import type { EngineEvent } from './engine.ts';
import { openHouse, type House } from './simulated-house.ts';

const soon = () => AbortSignal.timeout(20_000);
const never = AbortSignal.any([]);

async function until(condition: () => boolean): Promise<void> {
  const limit = soon();
  while (!condition()) {
    limit.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** As a person does who is told that the disk is full. */
async function persistently<T>(work: () => Promise<T>): Promise<T> {
  for (const limit = soon(); ;) {
    try {
      return await work();
    } catch (error) {
      limit.throwIfAborted();
      if (!isTwofoldError(error, 'no-space')) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** What was asked for may have been done though its asker was told of a failure. */
const unless =
  (...codes: string[]) =>
  (error: unknown) => {
    if (!isTwofoldError(error) || !codes.includes(error.code)) throw error;
  };

const life = (house: House, id: ContainerId) => house.engine.containers.find(id).life;
const isThere = (house: House, id: ContainerId) => house.engine.containers.list().some((one) => one.id === id);
const processOf = (house: House, id: ContainerId) =>
  house.world.processOf({ sandbox: id as string as SandboxId, container: id });

/** Of a start that is told as failed nothing runs. */
async function start(house: House, id: ContainerId): Promise<void> {
  try {
    await house.engine.containers.start(id, never);
  } catch (error) {
    assert.notEqual(processOf(house, id)?.status, null);
    throw error;
  }
}

const stories: Record<string, (house: House) => Promise<void>> = {
  'a run with --rm ends with its exit code told and the container gone': async (house) => {
    const id = await persistently(() => house.create(['exit', '3'], { AutoRemove: true }));
    const ended = house.engine.containers.wait(id, 'next-exit', soon());
    const removed = house.engine.containers.wait(id, 'removed', soon());
    await start(house, id).catch(unless('no-space'));
    assert.ok([3, 128].includes((await ended).statusCode));
    await removed; // or it is told that it failed, and it is tried again
    await until(() => !isThere(house, id));
  },
  'a container is renamed, paused, killed and removed': async (house) => {
    const id = await persistently(() => house.create(['sleep'], {}, { name: 'before' }));
    await persistently(() => start(house, id));
    await persistently(() => house.engine.containers.rename(id, 'after'));
    await persistently(() => house.engine.containers.pause(id));
    assert.equal(life(house, id).at, 'paused');
    await persistently(() => house.engine.containers.unpause(id));
    await persistently(() => house.engine.containers.update(id, { hostConfig: { CpuShares: 7 } })).catch(
      unless('not-implemented'),
    );
    await persistently(() => house.engine.containers.kill(id, 'KILL', soon()));
    assert.deepEqual(await house.engine.containers.wait(id, 'not-running', soon()), { statusCode: 137 });
    await persistently(() => house.engine.containers.remove(id, { force: true, volumes: false }, soon())).catch(
      unless('container-not-found'),
    );
    assert.equal(isThere(house, id), false);
  },
  'a policy restarts a container as often as it says': async (house) => {
    const id = await persistently(() =>
      house.create(['exit', '4'], { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 1 } }),
    );
    await persistently(() => start(house, id));
    await until(() => life(house, id).at === 'exited');
    assert.equal(house.engine.containers.find(id).restartCount, 1);
  },
  'a container that waits for its restart is stopped, and stays so': async (house) => {
    const id = await persistently(() => house.create(['exit', '4'], { RestartPolicy: { Name: 'always' } }));
    await persistently(() => start(house, id));
    await until(() => life(house, id).at === 'restarting');
    await persistently(() => house.engine.containers.stop(id, {}, soon())).catch(unless('already-in-that-state'));
    assert.equal(life(house, id).at, 'exited');
    await persistently(() => house.engine.containers.remove(id, { force: true, volumes: false }, soon()));
  },
};

/** Plays a story on a disk, listens to the end, and looks whether all that is told and kept fits. */
async function play(story: (house: House) => Promise<void>, isFull: (n: number) => boolean): Promise<number> {
  await using house = await openHouse();
  const before = house.disk.writes;
  house.disk.isFull = (n) => isFull(n - before);
  const told: EngineEvent[] = [];
  const listening = new AbortController();
  const listen = async () => {
    for await (const event of house.engine.events({}, listening.signal)) told.push(event);
  };
  void listen();
  await story(house);
  const writes = house.disk.writes - before;
  const rows = house.rows().map(({ stoppedByUser: _, ...record }) => record);
  assert.deepEqual(house.engine.containers.list(), rows, 'memory is what the rows say');
  for (const { id, life: at } of house.engine.containers.list()) {
    const lives = processOf(house, id)?.status === null;
    assert.equal(lives, at.at === 'running' || at.at === 'paused', 'what runs is shown as running, and nothing else');
  }
  checkEvents(told);
  listening.abort();
  return writes;
}

/** Each run has one end, and what was removed has none. */
function checkEvents(told: readonly EngineEvent[]): void {
  const order = told.filter(({ action }) => ['create', 'start', 'die', 'destroy'].includes(action));
  const text = order.map(({ action }) => action).join(' ');
  assert.match(text, /^create( start die)*( start)?( destroy)?$/, text);
}

for (const [title, story] of Object.entries(stories)) {
  test(`${title}, whichever write fails`, async () => {
    const writes = await play(story, () => false);
    assert.ok(writes > 5, String(writes));
    const each = Array.from({ length: writes }, (_, index) => index + 1);
    await Promise.all(each.map((at) => play(story, (n) => n === at).catch((error: unknown) => failed(at, error))));
  });

  test(`${title}, from whichever write on the disk is full for a while`, async () => {
    const writes = await play(story, () => false);
    const each = Array.from({ length: writes }, (_, index) => index + 1);
    await Promise.all(
      each.map((at) => {
        let endsAtMs = Infinity;
        const isFull = (n: number) => {
          if (n < at) return false;
          endsAtMs = Math.min(endsAtMs, performance.now() + 100);
          return performance.now() < endsAtMs;
        };
        return play(story, isFull).catch((error: unknown) => failed(at, error));
      }),
    );
  });
}

function failed(at: number, cause: unknown): never {
  throw new Error(`The write that failed first: ${at}`, { cause });
}

for (const [title, end] of Object.entries({
  'a kill': (house: House, id: ContainerId) => house.engine.containers.kill(id, 'KILL', soon()),
  'a stop': (house: House, id: ContainerId) => house.engine.containers.stop(id, {}, soon()),
}))
  test(`${title} ends a container of which nothing can be written down, at once, and its end is known later`, async () => {
    await using house = await openHouse();
    const id = await house.run(['sleep'], { RestartPolicy: { Name: 'always' } });
    house.disk.isFull = () => true;
    const began = performance.now();
    await end(house, id);
    assert.ok(performance.now() - began < 5_000, 'no time limit had to pass');
    assert.notEqual(processOf(house, id)?.status, null);
    house.disk.isFull = () => false;
    await until(() => life(house, id).at === 'exited');
    assert.equal(house.rows().find((row) => row.id === id)?.stoppedByUser, true, 'no policy starts it again');
  });
