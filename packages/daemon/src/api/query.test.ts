import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTwofoldError } from '@twofold/contract';
import { nameExpression, parseFilters, parseTime, passesLabels, Query } from './query.ts';

const invalid = (error: unknown) => isTwofoldError(error, 'invalid-argument');

test('truth is what Docker takes for it', () => {
  const query = new Query('a=1&b=true&c=0&d=false&e=&f=No&g=none&h=yes');
  assert.deepEqual(
    'abcdefgh'.split('').map((name) => query.flag(name)),
    [true, true, false, false, false, false, false, true],
  );
  assert.equal(query.flag('absent', true), true);
});

test('times are Unix seconds with a fraction, or RFC 3339, to the nanosecond', () => {
  assert.equal(parseTime('1700000000'), 1_700_000_000_000_000_000n);
  assert.equal(parseTime('1700000000.000000001'), 1_700_000_000_000_000_001n);
  assert.equal(parseTime('1700000000.5'), 1_700_000_000_500_000_000n);
  assert.equal(parseTime('2023-11-14T22:13:20.25Z'), 1_700_000_000_250_000_000n);
  assert.equal(parseTime('2023-11-14T23:13:20+01:00'), 1_700_000_000_000_000_000n);
  assert.equal(parseTime('yesterday'), undefined);
  assert.throws(() => new Query('since=yesterday').time('since'), invalid);
});

test("filters come in both of Docker's forms, and unknown ones are refused", () => {
  assert.deepEqual([...parseFilters('{"a":["b","c"]}', ['a'])], [['a', ['b', 'c']]]);
  assert.deepEqual([...parseFilters('{"a":{"b":true,"c":false}}', ['a'])], [['a', ['b']]]);
  for (const bad of ['{', '[]', '{"z":["x"]}', '{"a":"b"}', '{"a":[1]}', 'null'])
    assert.throws(() => parseFilters(bad, ['a']), invalid, bad);
});

test('every label filter has to fit', () => {
  const filters = (text: string) => parseFilters(text, ['label', 'label!']);
  assert.ok(passesLabels(filters('{"label":["a","b=c"]}'), { a: '', b: 'c' }));
  assert.ok(!passesLabels(filters('{"label":["a","b=x"]}'), { a: '', b: 'c' }));
  assert.ok(!passesLabels(filters('{"label!":["a"]}'), { a: '' }));
  assert.ok(!passesLabels(filters('{"label":["toString"]}'), {}));
});

test('a name filter that could run for ever is refused', () => {
  assert.ok(nameExpression('^/?we.*b').test('web'));
  assert.throws(() => nameExpression('(a+)+$'), invalid);
  assert.throws(() => nameExpression('['), invalid);
});
