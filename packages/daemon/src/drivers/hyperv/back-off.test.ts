import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BackOff } from './back-off.ts';

const at = { ms: 1_000 };
const backOff = () => new BackOff({ firstMs: 10, mostMs: 100, wellMs: 500 }, () => at.ms);

test('what fails again and again is tried again and again, less and less often', () => {
  const one = backOff();
  assert.equal(one.againInMs, null);
  const delaysMs = Array.from({ length: 2_000 }, () => {
    const delayMs = one.failed();
    assert.equal(one.againInMs, delayMs);
    at.ms += delayMs;
    assert.equal(one.againInMs, null);
    return delayMs;
  });
  assert.deepEqual(delaysMs.slice(0, 6), [10, 20, 40, 80, 100, 100]);
  assert.equal(delaysMs.at(-1), 100);
});

test('what fails soon after it was there has failed in a row, what was there for long has not', () => {
  const one = backOff();
  one.failed();
  one.succeeded();
  assert.equal(one.againInMs, null);
  at.ms += 499;
  assert.equal(one.failed(), 20);
  one.succeeded();
  at.ms += 300;
  one.succeeded();
  at.ms += 200;
  assert.equal(one.failed(), 10);
});
