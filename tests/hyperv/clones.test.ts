// Clones of the template: each another machine than its siblings, none able to change what they share, and a boot where a clone can't be had.

import assert from 'node:assert/strict';
import { constants, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, symlinkSync, truncateSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { defaults } from '../../packages/daemon/src/settings.ts';
import { House, outputOf, textOf } from './house.ts';

let house: House;
before(async () => { house = await House.open(); });
after(async () => {
  await house[Symbol.asyncDispose]();
  assert.deepEqual(house.leftovers(), []);
});

const workerOf = async (of: House, sandbox: string): Promise<number> => (await of.driver.workers()).find((worker) => worker.sandbox === sandbox)!.pid;

test('two clones have nothing in common that a machine has for itself', async () => {
  const script = 'cat /proc/sys/kernel/random/boot_id /proc/sys/kernel/random/uuid; head -c 32 /dev/urandom | od -An -v -tx1 -w32; cat /sys/class/net/eth0/address; date +%s';
  const results = await Promise.all(['02:42:00:00:00:11', '02:42:00:00:00:12'].map(async (mac, index) => {
    const began = Math.floor(Date.now() / 1000);
    const adapter = { name: 'eth0', hostName: `tfc${process.pid % 10_000}${index}`, mac, addresses: [`10.99.0.${index + 2}/24`], mtu: 1500 };
    const running = await house.run(['sh', '-c', script], { adapter });
    assert.match(textOf(`/proc/${await workerOf(house, running.ref.sandbox)}/cmdline`), /-incoming defer/);
    const lines = (await outputOf(running.streams)).trim().split('\n').map((line) => line.trim());
    assert.equal(lines[3], mac);
    const clock = Number(lines[4]);
    assert.ok(clock >= began && clock <= Date.now() / 1000, `the guest's clock says ${clock}, the host's ${began}`);
    await house.end(running);
    return lines.slice(0, 4);
  }));
  for (const [index, value] of results[0]!.entries()) {
    assert.ok(value.length >= 17, value);
    assert.notEqual(value, results[1]![index]);
  }
});

test('a clone without a network has no adapter but the loopback', async () => {
  const running = await house.run(['ls', '/sys/class/net']);
  assert.equal((await outputOf(running.streams)).trim(), 'lo');
  await house.end(running);
});

test('the memory that clones share cannot be written by anybody', async () => {
  const running = await house.run(['sleep', '1000']);
  const pid = await workerOf(house, running.ref.sandbox);
  const shared = readdirSync(`/proc/${pid}/fd`).filter((fd) => textOf(`/proc/${pid}/cmdline`).includes(`/proc/self/fd/${fd},share=off`)).map((fd) => `/proc/${pid}/fd/${fd}`);
  assert.equal(shared.length, 1);
  const descriptor = openSync(shared[0]!, constants.O_RDWR);
  assert.throws(() => writeSync(descriptor, 'x', 0), { code: 'EPERM' });
  assert.throws(() => truncateSync(shared[0]!, 0), { code: 'EPERM' });
  assert.equal(textOf(`/proc/${pid}/maps`).split('\n').some((line) => /memfd:twofold-template/.test(line) && /^\S+ .{3}s/.test(line)), false);
  await house.end(running);
});

test('a size that is not the template\'s boots', async () => {
  const running = await house.run(['true'], { machine: { memoryBytes: 256 << 20, cpus: 1 } });
  assert.doesNotMatch(textOf(`/proc/${await workerOf(house, running.ref.sandbox)}/cmdline`), /-incoming/);
  await outputOf(running.streams);
  assert.equal((await running.streams.exit).code, 0);
  await house.end(running);
});

test('where templates are turned off every VM boots, and none is asked to wait', async () => {
  const plain = await House.open({ vmTemplate: false, vmPool: 1 });
  try {
    const running = await plain.run(['true']);
    assert.doesNotMatch(textOf(`/proc/${await workerOf(plain, running.ref.sandbox)}/cmdline`), /-incoming/);
    await outputOf(running.streams);
    assert.deepEqual(plain.driver.pool, { waiting: 0, wanted: 0 });
    await plain.end(running);
  } finally {
    await plain[Symbol.asyncDispose]();
  }
});

test('a template that is broken is told of and dropped, and the VM boots', async () => {
  const libRoot = mkdtempSync(join(tmpdir(), 'twofold-lib-'));
  for (const part of ['bin', 'kernel', 'initramfs', 'rehearsal.erofs', 'accelerator.json']) symlinkSync(join(defaults.libRoot, part), join(libRoot, part));
  mkdirSync(join(libRoot, 'templates'), { mode: 0o700 });
  const other = await House.open({ libRoot });
  try {
    const [name] = readdirSync(join(libRoot, 'templates'));
    truncateSync(join(libRoot, 'templates', name!, 'state'), 1000);
    const running = await other.run(['cat', '/proc/sys/kernel/osrelease']);
    assert.equal((await outputOf(running.streams)).trim(), readFileSync(join(libRoot, 'kernel/release'), 'utf8').trim());
    assert.deepEqual(other.warnings.map((warning) => /^A clone .* failed/.test(warning)), [true]);
    assert.deepEqual(readdirSync(join(libRoot, 'templates')), []);
    assert.equal(other.events.some((event) => event.kind === 'sandbox-gone'), false);
    await other.end(running);
  } finally {
    await other[Symbol.asyncDispose]();
    rmSync(libRoot, { recursive: true, force: true });
  }
});
