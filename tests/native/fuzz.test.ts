// Every parser of hostile bytes that is written in C, against the collected inputs and some thousand changes of them:
// with AddressSanitizer and UBSan, and bounded in time and memory. `npm run fuzz` goes on for longer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz, fuzzTargets } from '../../tools/testing/fuzz.ts';

for (const target of await fuzzTargets())
  test(`${target}: no input ends it before its time`, async () => {
    const { exitCode, output } = await fuzz(target, { runs: 5000, seconds: 5 });
    assert.equal(exitCode, 0, output);
    const [, runs] = /^Done (\d+) runs/m.exec(output) ?? assert.fail(output);
    assert.ok(Number(runs) > 10, output);
  });
