import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tellApart } from './worker-memory.ts';
import { kindOf } from './worker-words.ts';

const mapping = (head: string, pss: number, anonymous: number, own = anonymous): string =>
  `${head}\nSize: 99999 kB\nPss:    ${pss} kB\nPss_Dirty: 7 kB\nPrivate_Clean:        0 kB\nPrivate_Dirty:     ${own} kB\nAnonymous:   ${anonymous} kB\nVmFlags: rd wr\n`;

test("a worker's memory is told apart by what it is for", () => {
  const smaps = [
    mapping(
      '7fadbd7ff000-7fae3d7ff000 rw-p 00000000 00:01 493                        /memfd:twofold-template (deleted)',
      28 * 1024,
      9 * 1024,
      5 * 1024,
    ),
    mapping('55ec892c0000-55ec8a5ef000 rw-p 00000000 00:00 0                          [heap]', 6 * 1024, 6 * 1024),
    mapping('7fadb4000000-7fadb427f000 rw-p 00000000 00:00 0 ', 2 * 1024, 2 * 1024),
    mapping('7fae3ec00000-7fae3ee7f000 rwxp 00000000 00:00 0 ', 3 * 1024, 3 * 1024),
    mapping('7fae3e200000-7fae3e47f000 rwxp 00000000 00:00 0 ', 1 * 1024, 1 * 1024),
    mapping('55ec57631000-55ec57bc8000 r-xp 00407000 fe:00 12115982                   /usr/bin/vmwp', 512, 0),
    mapping('55ec57ebf000-55ec5800e000 rw-p 00c94000 fe:00 12115982                   /usr/bin/vmwp', 512, 512),
  ].join('');
  assert.deepEqual(tellApart(smaps), {
    'guest pages shared with other VMs': 23,
    'guest pages dirtied by the guest': 5,
    "QEMU's heap": 8,
    'translation buffer': 4,
    'rest of QEMU': 1,
  });
});

test('two VMs of a kind differ by their names alone', () => {
  assert.deepEqual(kindOf('/usr/bin/vmwp\0-name\x001234,process=vmwp\0-m\x002048M\0'), [
    '/usr/bin/vmwp',
    '-name',
    '-m',
    '2048M',
  ]);
});
