// The clock of a guest: right from the start, through a pause and a standstill of its worker, and put right when it has
// gone wrong.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { newId, type ExecId, type OciProcess, type OciSpec } from '@twofold/contract';
import { processText } from '../support/processes.ts';
import { House, outputOf, processOf, within, type Running } from './house.ts';
import { until } from '../support/until.ts';

const standstillMs = 3_000;

let house: House;
let running: Running;
before(async () => {
  house = await House.open();
  running = await house.run(['sleep', '1000'], {
    oci: (spec): OciSpec => ({ ...spec, process: mayingSetTheClock(spec.process) }),
  });
});
after(async () => {
  await house[Symbol.asyncDispose]();
  assert.deepEqual(house.leftovers(), []);
});

function mayingSetTheClock(process: OciProcess): OciProcess {
  const names = [...process.capabilities!.bounding, 'CAP_SYS_TIME'];
  return {
    ...process,
    capabilities: { ...process.capabilities!, bounding: names, effective: names, permitted: names },
  };
}

async function inside(...words: string[]): Promise<string> {
  const { streams } = await house.driver.exec(
    { ...running.ref, exec: newId<ExecId>() },
    { process: mayingSetTheClock(processOf(words)), stdin: false },
    { attached: true },
    within(),
  );
  return (await outputOf(streams!)).trim();
}

/** How far the guest's seconds lie from those that passed here while it was asked. */
async function wrongSeconds(): Promise<number> {
  const earliest = Math.floor(Date.now() / 1000);
  const told = Number(await inside('date', '+%s'));
  const latest = Math.floor(Date.now() / 1000);
  return told < earliest ? earliest - told : told > latest ? told - latest : 0;
}

async function standStill(forMs: number): Promise<void> {
  const { pid } = (await house.driver.workers()).find(({ sandbox }) => sandbox === running.ref.sandbox)!;
  process.kill(pid, 'SIGSTOP');
  await until('the worker has stopped', () => /^State:\tT/m.test(processText(pid, 'status') ?? ''));
  await wait(forMs);
  process.kill(pid, 'SIGCONT');
}

test("a clone has the host's time", async () => {
  assert.ok((await wrongSeconds()) <= 1);
});

test("a container that was paused goes on with the host's time", async () => {
  await house.driver.pause(running.ref);
  await wait(standstillMs);
  await house.driver.resume(running.ref);
  assert.ok((await wrongSeconds()) <= 1);
});

test("a worker that stood still, as it does with its host, goes on with the host's time", async () => {
  await standStill(standstillMs);
  assert.ok((await wrongSeconds()) <= 1);
});

test('a clock that has gone wrong is put right when the worker runs on', async () => {
  await inside('date', '-s', '@1000000000');
  assert.ok((await wrongSeconds()) > 1_000);
  await standStill(0);
  await until("the guest has the host's time", async () => (await wrongSeconds()) <= 1);
});
