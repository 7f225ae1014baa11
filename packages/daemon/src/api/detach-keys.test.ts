import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DetachScanner, parseDetachKeys } from './detach-keys.ts';

test('keys are written as Docker writes them', () => {
  assert.deepEqual([...parseDetachKeys(undefined)], [0x10, 0x11]);
  assert.deepEqual([...parseDetachKeys('ctrl-a,x,ctrl-@,ctrl-[,ctrl-\\,ctrl-_')], [1, 0x78, 0, 0x1b, 0x1c, 0x1f]);
  for (const bad of ['ctrl-ab', 'xy', 'ctrl-1', 'ctrl-,', 'é'])
    assert.throws(() => parseDetachKeys(bad), /Invalid detach keys/, bad);
});

test('a beginning that leads nowhere is passed on', () => {
  const scanner = new DetachScanner(parseDetachKeys(undefined));
  assert.deepEqual(scanner.push(Buffer.from([0x61, 0x10])), { pass: Buffer.from('a'), detached: false });
  assert.deepEqual(scanner.push(Buffer.from('b')), { pass: Buffer.from([0x10, 0x62]), detached: false });
  assert.deepEqual(scanner.push(Buffer.from([0x10, 0x10])), { pass: Buffer.from([0x10]), detached: false });
  assert.deepEqual(scanner.push(Buffer.from([0x11, 0x7a])), { pass: Buffer.alloc(0), detached: true });
});

test('input without the keys passes whole, however it is cut, but for a held beginning', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 12 })), (chunks) => {
      const scanner = new DetachScanner(Buffer.from([0x10, 0x11]));
      const clean = chunks.map((chunk) => chunk.filter((byte) => byte !== 0x11));
      const passed = Buffer.concat(clean.map((chunk) => scanner.push(Buffer.from(chunk)).pass));
      const whole = Buffer.concat(clean);
      const held = whole.at(-1) === 0x10 ? 1 : 0;
      assert.deepEqual(passed, whole.subarray(0, whole.length - held));
    }),
  );
});
