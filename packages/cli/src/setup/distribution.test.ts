import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packagesFor, parseOsRelease } from './distribution.ts';

test('os-release is read with and without quotes', () => {
  const fields = parseOsRelease(
    'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\nID_LIKE=\'a b\'\n# no\n',
  );
  assert.deepEqual(
    [fields.get('ID'), fields.get('VERSION_ID'), fields.get('PRETTY_NAME'), fields.get('ID_LIKE')],
    ['debian', '12', 'Debian GNU/Linux 12 (bookworm)', 'a b'],
  );
});

test("every architecture has its emulator's package", () => {
  assert.ok(packagesFor('x64').some((each) => each.name === 'qemu-system-x86'));
  assert.ok(packagesFor('arm64').some((each) => each.name === 'qemu-system-arm'));
});
