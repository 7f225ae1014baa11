import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { burstMs, decidePoolSize, waitingVmBytes, type PoolSituation } from './pool-size.ts';

const rememberMs = 60_000;
const plenty = { availableBytes: 2 ** 40, totalBytes: 2 ** 40 };
const situation: fc.Arbitrary<PoolSituation> = fc.record({
  least: fc.integer({ min: 1, max: 8 }),
  most: fc.integer({ min: 0, max: 64 }),
  rememberMs: fc.constant(rememberMs),
  nowMs: fc.constant(1_000_000),
  startsMs: fc
    .array(fc.integer({ min: 1_000_000 - 2 * rememberMs, max: 1_000_000 }), { maxLength: 100 })
    .map((starts) => starts.toSorted((a, b) => a - b)),
  waiting: fc.nat(64),
  memory: fc.record({ availableBytes: fc.integer({ min: 0, max: 2 ** 33 }), totalBytes: fc.constant(2 ** 33) }),
});

test('where memory is no matter, the wanted size lies between what is set, and the least wins over the most', () => {
  fc.assert(
    fc.property(situation, (one) => {
      const { wanted } = decidePoolSize({ ...one, memory: plenty });
      assert.ok(wanted >= one.least && wanted <= Math.max(one.least, one.most));
    }),
  );
});

test('a burst of starts is what is wanted from then on', () => {
  fc.assert(
    fc.property(situation, fc.integer({ min: 1, max: 64 }), (one, burst) => {
      const startsMs = Array.from(
        { length: burst },
        (_, index) => one.nowMs - burstMs + 1 + Math.floor((index * (burstMs - 1)) / burst),
      );
      assert.equal(decidePoolSize({ ...one, startsMs, most: 64, memory: plenty }).wanted, Math.max(one.least, burst));
    }),
  );
});

test('another start never makes the pool smaller', () => {
  fc.assert(
    fc.property(situation, (one) => {
      assert.ok(
        decidePoolSize({ ...one, startsMs: [...one.startsMs, one.nowMs] }).wanted >= decidePoolSize(one).wanted,
      );
    }),
  );
});

test('no more are made than free memory holds, and none is ended for want of it', () => {
  fc.assert(
    fc.property(situation, (one) => {
      const { wanted } = decidePoolSize(one);
      const { wanted: ideal } = decidePoolSize({ ...one, memory: plenty });
      assert.ok(
        (wanted - one.waiting) * waitingVmBytes <= Math.max(0, one.memory.availableBytes - one.memory.totalBytes / 8),
      );
      assert.ok(wanted >= Math.min(one.waiting, ideal));
    }),
  );
});

test('who decides anew when told to comes back to the least in the end, if nothing is started', () => {
  fc.assert(
    fc.property(situation, (one) => {
      let now = { ...one, memory: plenty };
      for (let rounds = 0; ; rounds += 1) {
        const { wanted, reviewInMs } = decidePoolSize(now);
        if (reviewInMs === null) return assert.equal(wanted, one.least);
        assert.ok(reviewInMs > 0 && reviewInMs <= rememberMs && rounds <= one.startsMs.length);
        now = { ...now, nowMs: now.nowMs + reviewInMs };
      }
    }),
  );
});

test('where memory is short it is looked at again', () => {
  const { wanted, reviewInMs } = decidePoolSize({
    least: 2,
    most: 8,
    rememberMs,
    nowMs: 0,
    startsMs: [],
    waiting: 1,
    memory: { availableBytes: 2 ** 30, totalBytes: 2 ** 33 },
  });
  assert.equal(wanted, 1);
  assert.ok(reviewInMs !== null && reviewInMs > 0);
});
