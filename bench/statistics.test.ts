import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mean, median } from './statistics.ts';

test('a series is told by its median and its 10th and 90th percentile', () => {
  assert.deepEqual(median([5, 1, 3, 2, 4]), { figure: 3, low: 1.4, high: 4.6, count: 5 });
});

test('the median of an even series lies between its two middle values', () => {
  assert.equal(median([1, 2, 3, 10]).figure, 2.5);
});

test('what is a share of a sum is told by its mean', () => {
  assert.equal(mean([1, 1, 7]).figure, 3);
  assert.equal(median([1, 1, 7]).figure, 1);
});

test('an empty series is refused', () => {
  assert.throws(() => median([]), RangeError);
});
