import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findingOf, takeReports } from './reports.ts';

test('what native programs report is taken once, and the sentence that says what it is is found', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'twofold-reports-'));
  try {
    writeFileSync(
      join(directory, 'report.1'),
      '=====\n==1==ERROR: AddressSanitizer: attempting double-free on 0x1\n    #0 0x1 in free\n',
    );
    writeFileSync(join(directory, 'report.2'), 'link.c:7:3: runtime error: signed integer overflow: 1 + 1\n');
    const texts = await takeReports(directory);
    assert.deepEqual(texts.map(findingOf).toSorted(), [
      'ERROR: AddressSanitizer: attempting double-free on 0x1',
      'runtime error: signed integer overflow: 1 + 1',
    ]);
    assert.deepEqual(readdirSync(directory), []);
    assert.deepEqual(await takeReports(join(directory, 'nothing')), []);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
