// VMs that wait for containers: what is handed out, what is not, and that nothing of them stays.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { findWorkers } from '../../packages/daemon/src/host/workers.ts';
import { processIds } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { House, outputOf } from './house.ts';

let house: House;
before(async () => {
  house = await House.open({ vmPool: 1 });
});
after(async () => {
  await house[Symbol.asyncDispose]();
  assert.deepEqual(house.leftovers(), []);
});

const sandboxes = () => join(house.settings.runRoot, 'sb');

/** The worker of the one VM that waits. */
async function waitingWorker(): Promise<number> {
  return until('a VM waits', async () =>
    house.driver.pool.waiting === 1
      ? (await findWorkers()).find(
          ({ sandboxDirectory, user }) =>
            sandboxDirectory.startsWith(`${sandboxes()}/`) && !handedOut.has(sandboxDirectory) && user !== '',
        )?.pid
      : undefined,
  );
}
const handedOut = new Set<string>();

test("the VM that waits becomes the container's: same process, the container's names, and another one waits", async () => {
  const pid = await waitingWorker();
  const adapter = {
    name: 'eth0',
    hostName: `tfw${process.pid % 10_000}`,
    mac: '02:42:00:00:00:21',
    addresses: ['10.99.1.2/24'],
    mtu: 1500,
  };
  const running = await house.run(['sh', '-c', 'cat /sys/class/net/eth0/address; uname -n; date +%s; sleep 1000'], {
    adapter,
  });
  handedOut.add(running.sandbox.directory);
  const worker = (await house.driver.workers()).find(({ sandbox }) => sandbox === running.ref.sandbox)!;
  assert.equal(worker.pid, pid);
  assert.equal(worker.user, running.ref.container.slice(0, 32));
  assert.ok(existsSync(`/sys/class/net/${adapter.hostName}`));
  const streams = running.streams.output[Symbol.asyncIterator]();
  let text = '';
  while (text.split('\n').length < 4) text += ((await streams.next()).value as { data: Buffer }).data.toString();
  const [mac, name, clock] = text.split('\n');
  assert.deepEqual([mac, name], [adapter.mac, 'inside']);
  assert.ok(Math.abs(Number(clock) - Date.now() / 1000) < 5, clock);
  assert.notEqual(await waitingWorker(), pid);
  await house.end(running);
  assert.equal(processIds().includes(pid), false);
  assert.deepEqual(readdirSync(running.sandbox.directory), []);
});

test('a VM that waits leaves the processors to others; one that was handed out does not', async () => {
  const weightOf = (directory: string): number => {
    const { cgroupPath } = JSON.parse(readFileSync(join(directory, 'hyperv.json'), 'utf8')) as { cgroupPath: string };
    const file = [`/sys/fs/cgroup/cpu${cgroupPath}/cpu.shares`, `/sys/fs/cgroup${cgroupPath}/cpu.weight`].find((path) =>
      existsSync(path),
    );
    return Number(readFileSync(file!, 'utf8'));
  };
  const pid = await waitingWorker();
  const waiting = (await findWorkers()).find((worker) => worker.pid === pid)!.sandboxDirectory;
  const before = weightOf(waiting);
  const running = await house.run(['true']);
  handedOut.add(running.sandbox.directory);
  assert.ok(before * 10 < weightOf(running.sandbox.directory), `${before} and ${weightOf(running.sandbox.directory)}`);
  await house.end(running);
});

test('what a container in it ends with is found after a restart', async () => {
  await waitingWorker();
  const running = await house.run(['sh', '-c', 'exit 9']);
  handedOut.add(running.sandbox.directory);
  await outputOf(running.streams);
  assert.equal((await running.streams.exit).code, 9);
  assert.ok(existsSync(join(running.sandbox.directory, `exit.${running.ref.container}`)));
  const { alive, containers } = await house.driver.reconnect(
    running.ref.sandbox,
    running.sandbox.directory,
    [running.ref.container],
    AbortSignal.timeout(20_000),
  );
  assert.equal(alive, true);
  const state = containers.get(running.ref.container);
  assert.equal(state?.at === 'exited' ? state.status.code : state?.at, 9);
  await house.end(running);
});

test('a waiting VM that dies is replaced, and never handed out', async () => {
  const pid = await waitingWorker();
  process.kill(pid, 'SIGKILL');
  const next = await until('another one waits', async () => {
    const found = await waitingWorker();
    return found === pid ? undefined : found;
  });
  const running = await house.run(['true']);
  handedOut.add(running.sandbox.directory);
  assert.equal((await house.driver.workers()).find(({ sandbox }) => sandbox === running.ref.sandbox)!.pid, next);
  await outputOf(running.streams);
  await house.end(running);
  assert.equal(
    house.events.some((event) => event.kind === 'sandbox-gone'),
    false,
  );
});

test('a VM waits again once what kept it from being made has gone, however often that failed', async () => {
  const pid = await waitingWorker();
  const aid = () => house.driver.aids.find(({ name }) => name === 'VM pool')!;
  assert.equal(aid().state, 'ready');
  const { runRoot } = house.settings;
  Object.assign(house.settings, { runRoot: '/dev/null' }); // no sandbox can be made in it
  process.kill(pid, 'SIGKILL');
  await until('it has failed often', () =>
    house.warnings.some((warning) => warning.startsWith('No utility VM could be made to wait')),
  );
  await until('it is shown', () => aid().state === 'failed' && aid().againInMs! > 0, { everyMs: 5 });
  Object.assign(house.settings, { runRoot });
  await waitingWorker();
  assert.equal(aid().state, 'ready');
});

test('none waits when the driver is gone', async () => {
  await waitingWorker();
  await house.driver[Symbol.asyncDispose]();
  assert.equal(house.driver.pool.waiting, 0);
  assert.deepEqual(
    (await findWorkers()).filter(({ sandboxDirectory }) => sandboxDirectory.startsWith(`${sandboxes()}/`)),
    [],
  );
  assert.deepEqual(
    readdirSync(sandboxes()).filter((name) => !handedOut.has(join(sandboxes(), name))),
    [],
  );
  assert.equal(readFileSync('/proc/self/mountinfo', 'utf8').includes(sandboxes()), false);
});

test('a burst of starts makes more VMs wait, and they end when no other one comes', async () => {
  const busy = await House.open({ vmPool: 1, vmPoolMost: 3, vmPoolIdleMs: 20_000 });
  try {
    await until('a VM waits', () => busy.driver.pool.waiting === 1);
    const running = await Promise.all(Array.from({ length: 4 }, () => busy.run(['true'])));
    await until('more wait', () => busy.driver.pool.waiting > 1);
    await until('one waits', () => busy.driver.pool.waiting === 1, { timeoutMs: 60_000 });
    for (const one of running) await busy.end(one);
    await until(
      'nothing is left of the others',
      async () =>
        (await findWorkers()).filter(({ sandboxDirectory }) => sandboxDirectory.startsWith(busy.settings.runRoot))
          .length === 1,
    );
  } finally {
    await busy[Symbol.asyncDispose]();
  }
  assert.deepEqual(busy.leftovers(), []);
});
