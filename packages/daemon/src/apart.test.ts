import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTwofoldError } from '@twofold/contract';
import { keepApart } from './apart.ts';
import type { Registered } from './instances.ts';
import { defaults, defaultsOf } from './settings.ts';

const registered = (change: Partial<Registered>): Registered => ({
  instance: null,
  dataRoot: '/x/data',
  runRoot: '/x/run',
  libRoot: defaults.libRoot,
  linkPrefix: 'xx',
  cgroupParent: '/xx',
  workerUids: { first: 1, last: 2 },
  ...change,
});
const apartFrom = (change: Partial<Registered>) => keepApart(defaults, [registered(change)]);

test('a link whose name fits two prefixes belongs to the longer one', () => {
  const { ownsLink, ownsRules, stays } = apartFrom({ linkPrefix: 'tf1' });
  assert.deepEqual(['tf0', 'tf1', 'tf10', 'tf1e0123456789', 'tfe0123456789', 'tfx'].map(ownsLink), [
    true,
    true,
    false,
    false,
    true,
    false,
  ]);
  assert.deepEqual([ownsRules, stays], [true, []]);
});

test('what another daemon has too is left alone, and that is said', () => {
  const same = keepApart(defaults, [{ ...defaults, instance: 'b', dataRoot: '/b', runRoot: '/b-run' }]);
  assert.deepEqual(
    [same.ownsLink('tf0'), same.ownsRules, same.ownsCgroups, same.ownsUser(2_000_000_000)],
    [false, false, false, false],
  );
  assert.equal(same.stays.length, 3);
  assert.match(same.stays.join('\n'), /prefix tf .*instance b/);
  assert.equal(apartFrom({ cgroupParent: '/twofold/inner' }).ownsCgroups, false);
  assert.equal(apartFrom({ cgroupParent: '/twofoldish' }).ownsCgroups, true);
  const overlapping = apartFrom({ workerUids: { first: 2_000_000_010, last: 2_100_000_000 } });
  assert.deepEqual([2_000_000_009, 2_000_000_010, 1_999_999_999].map(overlapping.ownsUser), [true, false, false]);
});

test('a purge that would take another one’s directory is refused', () => {
  for (const change of [{ dataRoot: '/var/lib/twofold/inner' }, { runRoot: '/run/twofold' }, { dataRoot: '/var/lib' }])
    assert.throws(
      () => apartFrom(change),
      (error) => isTwofoldError(error, 'conflict') && error.message.includes('nothing is removed'),
    );
  assert.doesNotThrow(() => apartFrom({ dataRoot: '/var/lib/twofold-b', runRoot: '/run/twofoldish' }));
});

test('named instances and the default one have nothing in common', () => {
  const all = [
    defaults,
    ...Array.from({ length: 64 }, (_, index) => defaultsOf({ name: `n${index}`, slot: index + 1 })),
  ];
  for (const one of all) {
    const others = all.filter((other) => other !== one);
    const { ownsLink, ownsUser, stays } = keepApart(
      one,
      others.map((other) => ({ ...other, instance: other.instance?.name ?? null })),
    );
    assert.deepEqual(stays, []);
    assert.ok(ownsUser(one.workerUids.first) && ownsUser(one.workerUids.last));
    for (const other of others) {
      assert.ok(!other.linkPrefix.startsWith(one.linkPrefix), `${other.linkPrefix} ${one.linkPrefix}`);
      assert.ok(!ownsLink(`${other.linkPrefix}0`));
      assert.notEqual(other.addressPools[0]!.base, one.addressPools[0]!.base);
    }
  }
});
