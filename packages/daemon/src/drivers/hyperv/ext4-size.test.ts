import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { contentOfExt4 } from './ext4-size.ts';

const directory = mkdtempSync(join(tmpdir(), 'tfx-'));
const disk = join(directory, 'disk');
const changed = join(directory, 'changed');
let good: Buffer;

before(() => {
  const tree = join(directory, 'tree');
  mkdirSync(join(tree, 'sub'), { recursive: true });
  writeFileSync(join(tree, 'six'), '123456');
  writeFileSync(join(tree, 'sub/large'), Buffer.alloc(100_000, 'x'));
  symlinkSync('six', join(tree, 'link'));
  execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', tree, disk, '8M'], {
    env: { PATH: '/usr/sbin:/sbin:/usr/bin:/bin' },
  });
  good = readFileSync(disk);
});
after(() => rmSync(directory, { recursive: true, force: true }));

test('files and symlinks count with their own sizes, directories and the file system itself with none', async () => {
  assert.equal(await contentOfExt4(disk), 6 + 100_000 + 'six'.length);
});

test('a disk that a guest has written wrongly gives a number or none, and is not read for ever', async () => {
  const numbers = fc.array(fc.tuple(fc.nat(1024 * 7), fc.integer({ min: 0, max: 255 })), {
    minLength: 1,
    maxLength: 12,
  });
  // Superblock and group descriptors lie there; a quarter of the changes hit the superblock.
  await fc.assert(
    fc.asyncProperty(numbers, async (changes) => {
      const bytes = Buffer.from(good);
      for (const [at, value] of changes) bytes[at % 4 === 0 ? 1024 + (at % 264) : 1024 + at] = value;
      writeFileSync(changed, bytes);
      const found = await contentOfExt4(changed);
      assert.ok(found === null || (Number.isSafeInteger(found) && found >= 0), String(found));
    }),
    { numRuns: 300 },
  );
});

test('tables that are said to be more than a disk of ours can have are not read', async () => {
  const bytes = Buffer.from(good);
  bytes.writeUInt32LE(0xffffffff, 1024);
  bytes.writeUInt32LE(1 << 17, 1024 + 0x28);
  bytes.fill(0, 4096, 8192); // no group has unused inodes, and every table is the first block
  writeFileSync(changed, bytes);
  assert.equal(await contentOfExt4(changed), null);
});
