import assert from 'node:assert/strict';
import { test } from 'node:test';
import { summarise } from './statistics.ts';

test('a series is told by its median and its 10th and 90th percentile', () => {
  assert.deepEqual(summarise([5, 1, 3, 2, 4]), { median: 3, low: 1.4, high: 4.6, count: 5 });
});

test('the median of an even series lies between its two middle values', () => {
  assert.equal(summarise([1, 2, 3, 10]).median, 2.5);
});

test('an empty series is refused', () => {
  assert.throws(() => summarise([]), RangeError);
});
