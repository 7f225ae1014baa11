// Owns telling how a stream is compressed, by its first bytes, and unpacking it. Others than gzip and zstd are
// refused by name. Layers are unpacked by their reader only, an unprivileged process (erofs/child.ts).

import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { TwofoldError } from '@twofold/contract';
import { isZstd, zstdContent } from './zstd.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

const refused: readonly [string, Buffer][] = [
  ['xz', Buffer.from('fd377a585a00', 'hex')],
  ['bzip2', Buffer.from('BZh')],
  ['lzip', Buffer.from('LZIP')],
  ['zip', Buffer.from('PK\x03\x04')],
];
const gzip = Buffer.from('1f8b08', 'hex');
/** What compressionOf needs to see. */
export const headBytes = 6;

/** Names the compression of a stream that begins with `head`. Throws `unsupported` for one that we don't unpack. */
export function compressionOf(head: Buffer): Compression {
  const starts = (magic: Buffer) => head.subarray(0, magic.length).equals(magic);
  if (starts(gzip)) return 'gzip';
  if (isZstd(head)) return 'zstd';
  for (const [name, magic] of refused)
    if (starts(magic))
      throw new TwofoldError(
        'unsupported',
        `The archive is compressed with ${name}; unpack it first (gzip, zstd and plain tar are read).`,
      );
  return 'none';
}

/** True for what Node's decompressors throw at broken input. */
export function isBrokenCompression(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return typeof code === 'string' && /^(?:Z_|ZSTD_|ERR_ZSTD|ERR_ZLIB)/.test(code);
}

/**
 * The stream's content without its compression. Errors of the source come out of the result. The source stays its
 * owner's: a request that is destroyed while its client still sends would take the answer with it.
 */
export async function decompress(source: Readable): Promise<{ content: Readable; compression: Compression }> {
  const chunks = source.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer, undefined>;
  let head: Buffer = Buffer.alloc(0);
  while (head.length < headBytes) {
    const { value } = await chunks.next();
    if (value === undefined) break;
    head = Buffer.concat([head, value]);
  }
  let compression: Compression;
  try {
    compression = compressionOf(head);
  } catch (error) {
    await chunks.return?.();
    throw error;
  }
  const whole = Readable.from(from(head, chunks), { objectMode: false, highWaterMark: 1 << 20 });
  if (compression === 'none') return { content: whole, compression };
  if (compression === 'zstd')
    return { content: Readable.from(zstdContent(whole), { objectMode: false, highWaterMark: 1 << 20 }), compression };
  const unpack = createGunzip();
  // pipeline destroys the other end when one fails; the reader of `content` gets the error.
  pipeline(whole, unpack, () => undefined);
  return { content: unpack, compression };
}

async function* from(head: Buffer, rest: AsyncIterator<Buffer, undefined>): AsyncGenerator<Buffer> {
  try {
    if (head.length > 0) yield head;
    for (let next = await rest.next(); next.value !== undefined; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.(); // lets go of the source, which can then be drained
  }
}
