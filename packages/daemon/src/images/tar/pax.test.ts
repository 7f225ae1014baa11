import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeXattrName, parsePax, paxNumber, paxTime } from './pax.ts';
import { cleanPath } from './path.ts';

const record = (key: string, value: string): Buffer => {
  const body = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(body) + 1;
  while (String(length).length + Buffer.byteLength(body) !== length)
    length = String(length).length + Buffer.byteLength(body);
  return Buffer.from(`${length}${body}`);
};

test('records come back in order, values with newlines and equals signs whole', () => {
  const words = fc.tuple(fc.stringMatching(/^[a-zA-Z.]{1,12}$/), fc.string({ maxLength: 200 }));
  fc.assert(
    fc.property(fc.array(words, { maxLength: 20 }), (list) => {
      const parsed = parsePax(Buffer.concat(list.map(([key, value]) => record(key, value))));
      assert.deepEqual(
        parsed.map(({ key, value }) => [key, value.toString()]),
        list,
      );
    }),
  );
});

test('any bytes are records or an error, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        parsePax(Buffer.from(bytes));
      } catch (error) {
        assert.equal((error as { code: string }).code, 'invalid-argument');
      }
    }),
  );
});

test('times keep their nanoseconds, before 1970 too', () => {
  assert.deepEqual(paxTime(Buffer.from('12.000000003')), { seconds: 12, nanoseconds: 3 });
  assert.deepEqual(paxTime(Buffer.from('-1.25')), { seconds: -2, nanoseconds: 750_000_000 });
  assert.deepEqual(paxTime(Buffer.from('-3')), { seconds: -3, nanoseconds: 0 });
  assert.deepEqual(paxTime(Buffer.from('0.1234567891')), { seconds: 0, nanoseconds: 123_456_789 });
  for (const text of ['', '-', '1e9', '1.2.3', '99999999999999999'])
    assert.throws(() => paxTime(Buffer.from(text)), { code: 'invalid-argument' });
});

test('a number is decimal and fits', () => {
  assert.equal(paxNumber(Buffer.from('4294967294')), 4_294_967_294);
  for (const text of ['', '-1', '0x10', '9999999999999999', '1 '])
    assert.throws(() => paxNumber(Buffer.from(text)), { code: 'invalid-argument' });
});

test("an attribute's name is decoded", () => {
  assert.equal(decodeXattrName('user.a%3Db%25'), 'user.a=b%');
});

test('names are cleaned, and one that climbs out is refused', () => {
  assert.deepEqual(cleanPath(Buffer.from('/a//./b/../c/')), ['a', 'c']);
  assert.deepEqual(cleanPath(Buffer.from('./')), []);
  assert.deepEqual(cleanPath(Buffer.from([0xff, 0x2f, 0x61])), ['\xff', 'a']);
  for (const name of ['..', '../a', 'a/../..', '/..'])
    assert.throws(() => cleanPath(Buffer.from(name)), { code: 'invalid-argument' });
});
