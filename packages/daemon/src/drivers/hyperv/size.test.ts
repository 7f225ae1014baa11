import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSameSize, sizeFor, vmMemoryBytes } from './size.ts';

const size = fc.record({
  memoryBytes: fc.integer({ min: 4 << 20, max: 2 ** 40 }),
  cpus: fc.integer({ min: 1, max: 64 }),
});
const standard = fc.record({
  memoryBytes: fc.integer({ min: 128, max: 16_384 }).map((mebibytes) => mebibytes * 2 ** 20),
  cpus: fc.integer({ min: 1, max: 8 }),
});
const hostCpus = fc.integer({ min: 8, max: 128 });

test('a size holds what is wanted, and less than the standard one there is not', () => {
  fc.assert(
    fc.property(size, standard, hostCpus, (wanted, least, host) => {
      const found = sizeFor(wanted, least, host);
      assert.ok(
        found.memoryBytes >= Math.max(wanted.memoryBytes, least.memoryBytes) &&
          found.cpus >= Math.max(wanted.cpus, least.cpus),
      );
      assert.ok(vmMemoryBytes(found) > found.memoryBytes);
    }),
  );
});

test('what the standard size holds gets the standard size', () => {
  fc.assert(
    fc.property(standard, hostCpus, fc.double({ min: 0.001, max: 1, noNaN: true }), (least, host, share) => {
      assert.ok(
        isSameSize(
          sizeFor(
            { memoryBytes: Math.ceil(least.memoryBytes * share), cpus: Math.ceil(least.cpus * share) },
            least,
            host,
          ),
          least,
        ),
      );
    }),
  );
});

test('memory and processors are less than twice of what is wanted', () => {
  fc.assert(
    fc.property(size, standard, hostCpus, (wanted, least, host) => {
      const found = sizeFor(wanted, least, host);
      assert.ok(found.memoryBytes === least.memoryBytes || found.memoryBytes < 2 * wanted.memoryBytes);
      assert.ok(found.cpus === least.cpus || found.cpus < 2 * wanted.cpus);
    }),
  );
});

test('up to a tebibyte and 64 processors there are few sizes', () => {
  const found = new Set<string>();
  for (let memoryBytes = 2 ** 20; memoryBytes <= 2 ** 40; memoryBytes = Math.ceil(memoryBytes * 1.3)) {
    for (let cpus = 1; cpus <= 64; cpus += 1)
      found.add(JSON.stringify(sizeFor({ memoryBytes, cpus }, { memoryBytes: 2 ** 31, cpus: 2 }, 64)));
  }
  assert.ok(found.size <= 60, `${found.size}`);
});
