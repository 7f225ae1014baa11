// VMs that are forked: what they have in common with their parent, and what they are without it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newId, type ExecId } from '@twofold/contract';
import { parentOf, processName, processText } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { House, outputOf, processOf, within, type Running } from './house.ts';

let house: House;
before(async () => {
  house = await House.open({ machine: { memoryBytes: 512 << 20, cpus: 2 } });
  assert.equal(await house.driver.forkable(), true);
});
after(async () => {
  await house[Symbol.asyncDispose]();
  assert.deepEqual(house.leftovers(), []);
});

const workerOf = async ({ ref }: Running): Promise<number> =>
  (await house.driver.workers()).find((worker) => worker.sandbox === ref.sandbox)!.pid;

async function exec({ ref }: Running, args: string[]): Promise<string> {
  const { streams } = await house.driver.exec(
    { ...ref, exec: newId<ExecId>() },
    { process: processOf(args), stdin: false },
    { attached: true },
    within(),
  );
  return (await outputOf(streams!)).trim();
}

test('all processors of a fork compute', async () => {
  const running = await house.run([
    'sh',
    '-c',
    'cat /proc/stat; (while :; do :; done) & (while :; do :; done) & sleep 1; cat /proc/stat; kill %1 %2',
  ]);
  const text = await outputOf(running.streams);
  for (const name of ['cpu0', 'cpu1']) {
    const [before, later] = [...text.matchAll(new RegExp(`^${name} (\\d+)`, 'gm'))].map(([, ticks]) => Number(ticks));
    assert.ok(later! - before! > 10, `${name}: ${before} ${later}`);
  }
  await house.end(running);
});

test('a fork has most of its memory in common with its parent', async () => {
  const running = await house.run(['sleep', '1000']);
  const rollup = processText(await workerOf(running), 'smaps_rollup') ?? '';
  const of = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(rollup)![1]);
  assert.ok(of('Private_Dirty') + of('Private_Clean') < (of('Shared_Dirty') + of('Shared_Clean')) / 2, rollup);
  await house.end(running);
});

test('what two forks write they write for themselves', async () => {
  const both = await Promise.all(
    [1, 2].map((number) =>
      house.run(['sh', '-c', `head -c 3000000 /dev/zero > /file; echo ${number} >> /file; sleep 1000`]),
    ),
  );
  for (const [index, running] of both.entries()) {
    await exec(running, ['sh', '-c', 'while ! tail -c 2 /file | grep -q [12]; do sleep 0.1; done']);
    assert.equal(await exec(running, ['tail', '-c', '2', '/file']), String(index + 1));
  }
  for (const running of both) await house.end(running);
});

test('forks outlive their parent; their ends are heard of, the next VM is a clone, and another parent is made', async () => {
  const [one, other] = await Promise.all([1, 2].map(() => house.run(['sleep', '1000'])));
  const parent = parentOf(await workerOf(one!)) ?? assert.fail('it has gone');
  assert.equal(processName(parent), 'vmwp-parent');
  process.kill(parent, 'SIGKILL');
  assert.equal(await exec(one!, ['echo', 'alive']), 'alive');
  process.kill(await workerOf(other!), 'SIGKILL');
  await house.event('sandbox-gone', other!.ref.sandbox);
  const next = await house.run(['sleep', '1000']);
  assert.equal(processName(parentOf(await workerOf(next)) ?? assert.fail('it has gone')), 'twofold-supervi');
  assert.equal(house.warnings.filter((warning) => /forked from is lost/.test(warning)).length, 1);
  await until('there is another', () => house.driver.forkable());
  for (const running of [one!, other!, next]) await house.end(running);
});

test('a parent may be lost as often as it will: there is another after a while, and until then it is shown as failed', async () => {
  const state = () => house.driver.aids.find(({ name }) => name === 'VM parent')!.state;
  for (let round = 0; round < 4; round += 1) {
    const running = await house.run(['sleep', '1000']);
    const parent = parentOf(await workerOf(running)) ?? assert.fail('it has gone');
    assert.deepEqual([processName(parent), state()], ['vmwp-parent', 'ready']);
    process.kill(parent, 'SIGKILL');
    await until('it is lost', () => state() !== 'ready', { everyMs: 5 });
    await house.end(running);
    await until('there is another', () => house.driver.forkable());
  }
  assert.equal(house.warnings.filter((warning) => /forked from is lost.*made again in 1 s/.test(warning)).length, 5);
});
