// Containers that ask for less or more than the standard VM: less is a limit in it, more is another VM, whose size has
// a template from the second one on.

import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { mkdtempSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { testedLibrary } from '../support/library.ts';
import { processWords } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { House, outputOf, type Running } from './house.ts';

const libRoot = mkdtempSync(join(tmpdir(), 'twofold-lib-'));
let house: House;
before(async () => {
  // Templates of its own: none of the larger size.
  for (const part of ['bin', 'kernel', 'initramfs', 'rehearsal.erofs', 'accelerator.json'])
    symlinkSync(join(testedLibrary, part), join(libRoot, part));
  mkdirSync(join(libRoot, 'templates'), { mode: 0o700 });
  house = await House.open({ libRoot });
});
after(async () => {
  await house[Symbol.asyncDispose]();
  rmSync(libRoot, { recursive: true, force: true });
  assert.deepEqual(house.leftovers(), []);
});

const isClone = async (running: Running): Promise<boolean> =>
  / -incoming /.test(
    processWords((await house.driver.workers()).find(({ sandbox }) => sandbox === running.ref.sandbox)!.pid).join(' '),
  );
const memoryOf = (text: string): number => Number(/^MemTotal:\s+(\d+) kB/m.exec(text)![1]) * 1024;

test('less than the standard size is a clone of the standard size', async () => {
  const running = await house.run(['true'], { machine: { memoryBytes: 64 << 20, cpus: 1 }, memoryBytes: 64 << 20 });
  assert.equal(await isClone(running), true);
  await house.end(running);
  assert.equal(readdirSync(join(libRoot, 'templates')).length, 1);
});

test("as much as the standard size is all the container's", async () => {
  const { memoryBytes } = house.settings.machine;
  const mebibytes = memoryBytes / 2 ** 20 - 24;
  const running = await house.run(
    ['sh', '-c', `dd if=/dev/zero of=/full/it bs=1M count=${mebibytes} 2>/dev/null; wc -c < /full/it`],
    {
      memoryBytes,
      oci: (spec) => ({
        ...spec,
        mounts: [...spec.mounts, { destination: '/full', type: 'tmpfs', source: 'tmpfs', options: ['size=100%'] }],
      }),
      layers: [house.layer('full', (root) => mkdirSync(join(root, 'full'))), house.base()],
    },
  );
  assert.equal(await isClone(running), true);
  assert.equal((await outputOf(running.streams)).trim(), String(mebibytes * 2 ** 20));
  await house.end(running);
});

test('more than the standard size boots, and is a clone of its own size the next time', async () => {
  const machine = {
    memoryBytes: house.settings.machine.memoryBytes + (100 << 20),
    cpus: Math.min(2, availableParallelism()),
  };
  const look = () => house.run(['cat', '/proc/meminfo', '/proc/cpuinfo'], { machine });
  const first = await look();
  assert.equal(await isClone(first), false);
  const told = await outputOf(first.streams);
  await house.end(first);
  await until(
    'there is a template of that size',
    () => readdirSync(join(libRoot, 'templates')).filter((name) => !name.includes('.')).length === 2,
  );
  const second = await look();
  assert.equal(await isClone(second), true);
  for (const text of [told, await outputOf(second.streams)]) {
    assert.ok(memoryOf(text) > machine.memoryBytes, text);
    assert.equal(text.match(/^processor\s*:/gm)?.length, machine.cpus);
  }
  await house.end(second);
  assert.deepEqual(house.warnings, []);
});
