import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { isTwofoldError } from '@twofold/contract';
import { withLoader } from './loader.ts';

test('a program gets another loader in the place of its own, and nothing else of it changes', async () => {
  const program = await readFile('/bin/sh');
  const changed = withLoader(program, '/dev/twofold-powershell/ld');
  const at = changed.indexOf('/dev/twofold-powershell/ld\0');
  assert.ok(at > 0 && program.subarray(at).toString('latin1').startsWith('/lib'));
  assert.deepEqual(withLoader(changed, program.subarray(at, program.indexOf(0, at)).toString()), program);
});

test('a path that is too long for the place is refused', async () => {
  const program = await readFile('/bin/sh');
  assert.throws(
    () => withLoader(program, `/${'x'.repeat(100)}`),
    (error) => isTwofoldError(error, 'internal'),
  );
});
