// Archives that mean harm, made of good and bad ones (the fuzzers' collection): whatever is changed in them, reading
// comes to an end, and what is wrong is said as an error of ours.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { isTwofoldError } from '@twofold/contract';
import { readTar } from '../tar/reader.ts';
import { ErofsWriter } from './writer.ts';

const collection = join(import.meta.dirname, '../../../../../native/fuzz/corpus/tar');
const archives = readdirSync(collection).map((name) => readFileSync(join(collection, name)));
const limits = { entries: 100, bytes: 1 << 20, metadataBytes: 1 << 20 };
const blockBytes = 512;

/** Of each changed block that looks like a header the checksum is mended: without it nothing else would be read. */
function mend(archive: Buffer, at: number): void {
  const start = at - (at % blockBytes);
  const block = archive.subarray(start, start + blockBytes);
  if (block.length < blockBytes || block.toString('latin1', 257, 262) !== 'ustar') return;
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

const changed = fc
  .tuple(
    fc.constantFrom(...archives),
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }),
    fc.option(fc.nat(), { freq: 4 }),
  )
  .map(([good, changes, cut]) => {
    const archive = Buffer.from(good);
    for (const [at, byte] of changes) archive[at % archive.length] = byte;
    for (const [at] of changes) mend(archive, at % archive.length);
    return cut === null ? archive : archive.subarray(0, cut % archive.length);
  });

for (const form of ['oci', 'private'] as const)
  test(`an archive in the ${form} form, changed anywhere, is read to its end or refused with a reason`, async () => {
    await fc.assert(
      fc.asyncProperty(changed, async (archive) => {
        const writer = new ErofsWriter(() => undefined, form, limits);
        try {
          for await (const entry of readTar(Readable.from([archive]), { wholeEnd: form === 'private' }))
            await writer.add(entry);
          writer.finish(Buffer.alloc(16));
        } catch (error) {
          assert.ok(isTwofoldError(error), String((error as Error).stack));
        }
      }),
      { numRuns: 400 },
    );
  });
