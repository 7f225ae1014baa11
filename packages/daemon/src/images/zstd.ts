// Owns unpacking zstd as it is written: one frame after the other (zstd:chunked has one for each file), and frames of
// somebody else's between them, which are passed over. Node's decompressor ends with the first frame and says nothing
// of the rest. Source: https://www.rfc-editor.org/rfc/rfc8878, section 3.1

import { pipeline, Readable } from 'node:stream';
import { constants, createZstdDecompress } from 'node:zlib';
import { broken } from './tar/header.ts';
import { ByteInput } from './tar/input.ts';

/** A window beyond this costs that much memory for one stream: 128 MiB, what `zstd -19 --long=27` needs. */
const windowLog = 27;
const magic = 0xfd2fb528;
/** Lengths of a frame header's fields by their flags. */
const dictionaryBytes = [0, 1, 2, 4] as const;
const sizeBytes = [0, 2, 4, 8] as const;
const reservedBlock = 3;
const repeatedByteBlock = 1;

/** Whether a stream that begins with these (four at least) is zstd. */
export function isZstd(head: Buffer): boolean {
  if (head.length < 4) return false;
  const first = head.readUInt32LE();
  return first === magic || isSkippable(first);
}

const isSkippable = (first: number) => first >= 0x184d2a50 && first <= 0x184d2a5f;

/** The content of all frames. */
export async function* zstdContent(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const input = new ByteInput(packed);
  try {
    for (let start = await input.exactly(4); start !== null; start = await input.exactly(4)) {
      const first = start.readUInt32LE();
      if (isSkippable(first)) {
        await input.skip((await must(input, 4)).readUInt32LE());
        continue;
      }
      if (first !== magic) throw broken('the data after a zstd frame is not another frame');
      const unpack = createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: windowLog } });
      // The reader of `unpack` gets the error.
      pipeline(Readable.from(frame(Buffer.from(start), input), { objectMode: false }), unpack, () => undefined);
      yield* unpack as AsyncIterable<Buffer>;
    }
  } finally {
    await input.close();
  }
}

/** The bytes of one frame. */
async function* frame(start: Buffer, input: ByteInput): AsyncGenerator<Buffer> {
  const descriptor = (await must(input, 1))[0]!;
  const isSingle = (descriptor & 0x20) !== 0;
  const size = descriptor >> 6 === 0 && isSingle ? 1 : sizeBytes[(descriptor >> 6) as 0 | 1 | 2 | 3];
  const rest = (isSingle ? 0 : 1) + dictionaryBytes[(descriptor & 3) as 0 | 1 | 2 | 3] + size;
  yield Buffer.concat([start, Buffer.of(descriptor), rest === 0 ? Buffer.alloc(0) : await must(input, rest)]);
  for (let isLast = false; !isLast;) {
    const block = Buffer.from(await must(input, 3));
    const said = block.readUIntLE(0, 3);
    isLast = (said & 1) === 1;
    const kind = (said >> 1) & 3;
    if (kind === reservedBlock) throw broken('a zstd block has an unknown type');
    yield block;
    for (let left = kind === repeatedByteBlock ? 1 : said >> 3; left > 0;) {
      const part = await input.some(left);
      if (part === null) throw broken('it ends in the middle of a zstd frame');
      left -= part.length;
      yield part;
    }
  }
  if ((descriptor & 4) !== 0) yield await must(input, 4);
}

async function must(input: ByteInput, length: number): Promise<Buffer> {
  const bytes = await input.exactly(length);
  if (bytes === null) throw broken('it ends in the middle of a zstd frame');
  return bytes;
}
