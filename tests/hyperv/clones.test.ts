// Clones of the template: each another machine than its siblings, none able to change what they share, and a boot where
// a clone can't be had.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  constants,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import type { RootfsLayer } from '../../packages/daemon/src/drivers/driver.ts';
import { testedLibrary } from '../support/library.ts';
import { processEntries, processText, processWords } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { House, outputOf } from './house.ts';

let house: House;
before(async () => {
  house = await House.open({ vmFork: false });
});
after(async () => {
  await house[Symbol.asyncDispose]();
  assert.deepEqual(house.leftovers(), []);
});

const workerOf = async (of: House, sandbox: string): Promise<number> =>
  (await of.driver.workers()).find((worker) => worker.sandbox === sandbox)!.pid;

/** The host's openssl, with what it is linked to. */
const withOpenssl = (of: House): RootfsLayer =>
  of.layer('openssl', (root) => {
    const libraries = [
      ...execFileSync('ldd', ['/usr/bin/openssl'], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g),
    ].map(([, path]) => path!);
    for (const path of ['/usr/bin/openssl', ...libraries]) {
      mkdirSync(join(root, dirname(path)), { recursive: true });
      copyFileSync(path, join(root, path));
    }
  });

/** What is a machine's own, of a container that looks at once. */
async function identityIn(of: House, number: number): Promise<string[]> {
  const mac = `02:42:00:00:00:1${number}`;
  const script = [
    'cat /proc/sys/kernel/random/boot_id /proc/sys/kernel/random/uuid',
    'head -c 32 /dev/urandom | od -An -v -tx1 -w32',
    'cat /sys/class/net/eth0/address',
    'uname -n',
    // A TLS key. What has no machine-id makes one of the firmware's, where it has one, or of random bits.
    '/usr/bin/openssl ecparam -name prime256v1 -genkey -noout -outform DER | od -An -v -tx1 -w200',
    'cat /sys/class/dmi/id/product_uuid 2>/dev/null || echo none',
    'date +%s',
  ].join('; ');
  const began = Math.floor(Date.now() / 1000);
  const adapter = {
    name: 'eth0',
    hostName: `tfc${process.pid % 10_000}${number}`,
    mac,
    addresses: [`10.99.0.${number + 2}/24`],
    mtu: 1500,
  };
  const running = await of.run(['sh', '-c', script], {
    adapter,
    layers: [withOpenssl(of), of.base()],
    oci: (spec) => ({ ...spec, hostname: `inside-machine-${number}` }),
  });
  assert.match(processWords(await workerOf(of, running.ref.sandbox)).join(' '), /-incoming defer/);
  const lines = (await outputOf(running.streams))
    .trim()
    .split('\n')
    .map((line) => line.trim());
  await of.end(running);
  const [bootId, uuid, random, address, name, key, product, clock] = lines;
  assert.equal(address, mac);
  assert.ok(key !== undefined && key.length > 300, lines.join('\n'));
  assert.match(product!, /^(none|[0-]+)$/);
  assert.ok(
    Number(clock) >= began && Number(clock) <= Date.now() / 1000,
    `the guest's clock says ${clock}, the host's ${began}`,
  );
  return [bootId!, uuid!, random!, address, name!, key];
}

for (const [kind, vmFork, vmPool] of [
  ['clones', false, 0],
  ['forks', true, 0],
  ['VMs that waited', true, 2],
  ['clones that waited', false, 2],
] as const) {
  test(`two ${kind} have nothing in common that a machine has for itself`, async () => {
    await using own = await House.open({ vmFork, vmPool, vmPoolMost: vmPool });
    assert.equal(await own.driver.forkable(), vmFork);
    await until('they wait', () => own.driver.pool.waiting === vmPool);
    const [one, other] = await Promise.all([identityIn(own, 1), identityIn(own, 2)]);
    for (const [index, value] of one!.entries()) {
      assert.ok(value.length >= 16, value);
      assert.notEqual(value, other![index]);
    }
  });
}

test('a clone without a network has no adapter but the loopback', async () => {
  const running = await house.run(['ls', '/sys/class/net']);
  assert.equal((await outputOf(running.streams)).trim(), 'lo');
  await house.end(running);
});

test('the memory that clones share cannot be written by anybody', async () => {
  const running = await house.run(['sleep', '1000']);
  const pid = await workerOf(house, running.ref.sandbox);
  const shared = processEntries(pid, 'fd')
    .filter((fd) => processWords(pid).join(' ').includes(`/proc/self/fd/${fd},share=off`))
    .map((fd) => `/proc/${pid}/fd/${fd}`);
  assert.equal(shared.length, 1);
  const descriptor = openSync(shared[0]!, constants.O_RDWR);
  assert.throws(() => writeSync(descriptor, 'x', 0), { code: 'EPERM' });
  assert.throws(() => truncateSync(shared[0]!, 0), { code: 'EPERM' });
  assert.equal(
    (processText(pid, 'maps') ?? '')
      .split('\n')
      .some((line) => /memfd:twofold-template/.test(line) && /^\S+ .{3}s/.test(line)),
    false,
  );
  await house.end(running);
});

test('where templates are turned off every VM boots, and none is asked to wait', async () => {
  const plain = await House.open({ vmTemplate: false, vmPool: 1 });
  try {
    const running = await plain.run(['true']);
    assert.doesNotMatch(processWords(await workerOf(plain, running.ref.sandbox)).join(' '), /-incoming/);
    await outputOf(running.streams);
    assert.deepEqual(plain.driver.pool, { waiting: 0, wanted: 0 });
    await plain.end(running);
  } finally {
    await plain[Symbol.asyncDispose]();
  }
});

test('a template that is broken is told of and dropped, the VM boots, and the next ones are clones of another', async () => {
  const libRoot = mkdtempSync(join(tmpdir(), 'twofold-lib-'));
  for (const part of ['bin', 'kernel', 'initramfs', 'rehearsal.erofs', 'accelerator.json'])
    symlinkSync(join(testedLibrary, part), join(libRoot, part));
  mkdirSync(join(libRoot, 'templates'), { mode: 0o700 });
  const other = await House.open({ libRoot, vmFork: false });
  try {
    const [name] = readdirSync(join(libRoot, 'templates'));
    truncateSync(join(libRoot, 'templates', name!, 'state'), 1000);
    const running = await other.run(['cat', '/proc/sys/kernel/osrelease']);
    assert.equal(
      (await outputOf(running.streams)).trim(),
      readFileSync(join(libRoot, 'kernel/release'), 'utf8').trim(),
    );
    assert.equal(other.warnings.filter((warning) => /^A clone .* failed/.test(warning)).length, 1);
    assert.equal(
      other.events.some((event) => event.kind === 'sandbox-gone'),
      false,
    );
    await other.end(running);
    await until('there is another', () => other.driver.aids[0]!.state === 'ready', { timeoutMs: 60_000 });
    const next = await other.run(['sleep', '1000']);
    assert.match(processWords(await workerOf(other, next.ref.sandbox)).join(' '), /-incoming defer/);
    await other.end(next);
  } finally {
    await other[Symbol.asyncDispose]();
    rmSync(libRoot, { recursive: true, force: true });
  }
});
