import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  chooseSubnet,
  contains,
  formatAddress,
  formatSubnet,
  isHostAddress,
  isSpecial,
  macOf,
  nextAddress,
  overlap,
  parseAddress,
  parseMac,
  parseSubnet,
  sizeOf,
} from './addresses.ts';

const address = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const subnet = fc
  .tuple(address, fc.integer({ min: 8, max: 30 }))
  .map(([a, p]) => parseSubnet(`${formatAddress(a)}/${p}`)!);

test('an address reads back as it was written', () => {
  fc.assert(fc.property(address, (a) => parseAddress(formatAddress(a)) === a));
  for (const bad of ['', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '1.2.3.4 ', 'a.b.c.d', '1.2.3.-4'])
    assert.equal(parseAddress(bad), null, bad);
});

test('a subnet has no bit below its prefix and holds its own addresses only', () => {
  fc.assert(
    fc.property(subnet, address, (s, a) => {
      assert.equal(s.base % sizeOf(s), 0);
      assert.deepEqual(parseSubnet(formatSubnet(s)), s);
      assert.equal(contains(s, a), formatSubnet(parseSubnet(`${formatAddress(a)}/${s.prefix}`)!) === formatSubnet(s));
    }),
  );
});

test('subnets drawn from a pool never overlap each other or what was taken, until the pool is used up', () => {
  fc.assert(
    fc.property(fc.array(subnet, { maxLength: 5 }), (foreign) => {
      const pools = [
        { base: '10.88.0.0/13', size: 16 },
        { base: '192.168.128.0/22', size: 24 },
      ];
      const taken = [...foreign];
      for (;;) {
        const next = chooseSubnet(pools, taken);
        if (next === null) break;
        assert.ok(!taken.some((t) => overlap(t, next)));
        assert.ok(pools.some((p) => contains(parseSubnet(p.base)!, next.base) && p.size === next.prefix));
        taken.push(next);
        assert.ok(taken.length <= foreign.length + 12);
      }
    }),
  );
});

test('every host address of a switch is given out once before none is left', () => {
  fc.assert(
    fc.property(address, fc.integer({ min: 26, max: 30 }), fc.option(address), (a, prefix, start) => {
      const s = parseSubnet(`${formatAddress(a)}/${prefix}`)!;
      const taken = new Set<number>();
      let last = start;
      for (let n = 0; n < sizeOf(s) - 2; n += 1) {
        last = nextAddress(s, taken, last);
        assert.ok(last !== null && isHostAddress(s, last) && !taken.has(last));
        taken.add(last);
      }
      assert.equal(nextAddress(s, taken, last), null);
    }),
  );
});

test('addresses are given out of the range that was asked for, and of nothing else', () => {
  fc.assert(
    fc.property(
      address,
      fc.integer({ min: 16, max: 28 }),
      fc.integer({ min: 0, max: 4 }),
      fc.nat(),
      fc.option(address),
      (a, prefix, longer, part, last) => {
        const s = parseSubnet(`${formatAddress(a)}/${prefix}`)!;
        const range = { base: s.base + (part % 2 ** longer) * 2 ** (32 - prefix - longer), prefix: prefix + longer };
        const next = nextAddress(s, new Set(), last, range);
        // A range of one address may be the switch's first or last: then it has none to give.
        if (range.prefix === 32 && !isHostAddress(s, range.base)) assert.equal(next, null);
        else assert.ok(next !== null && contains(range, next) && isHostAddress(s, next));
      },
    ),
  );
});

test('an address just given back is not the next one given out', () => {
  const s = parseSubnet('10.1.2.0/29')!;
  const taken = new Set([s.base + 1]);
  const first = nextAddress(s, taken, null)!;
  assert.notEqual(nextAddress(s, taken, first), first);
});

test('a MAC made of an address is a good unicast one', () => {
  fc.assert(fc.property(address, (a) => parseMac(macOf(a)) === macOf(a)));
  assert.equal(parseMac('02-42-AC-11-00-02'), '02:42:ac:11:00:02');
  assert.equal(parseMac('00155D010203'), '00:15:5d:01:02:03');
  for (const bad of ['', '00155d0102', '01:00:5e:00:00:01', '00:00:00:00:00:00', '02:42:ac:11:00', '02:42:ac:11:00:zz'])
    assert.equal(parseMac(bad), null, bad);
});

test('no switch has addresses that the kernel keeps for itself', () => {
  for (const text of [
    '127.0.0.0/8',
    '127.1.0.0/24',
    '0.0.0.0/8',
    '0.1.0.0/16',
    '224.0.0.0/8',
    '240.0.0.0/8',
    '255.0.0.0/8',
  ])
    assert.ok(isSpecial(parseSubnet(text)!), text);
  for (const text of ['10.0.0.0/8', '126.0.0.0/8', '128.0.0.0/8', '192.168.0.0/24', '223.255.255.0/24'])
    assert.ok(!isSpecial(parseSubnet(text)!), text);
});
