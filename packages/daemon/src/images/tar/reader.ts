// Owns the reading of a tar stream: ustar, GNU's long names and sparse files, pax. The stream is hostile: every header
// is bounded before memory is taken for it. What the entries mean (paths, whiteouts) is the consumer's; see path.ts for
// the cleaning of names.

import { blockBytes, broken, parseHeader, type Header } from './header.ts';
import { ByteInput } from './input.ts';
import { decodeXattrName, parsePax, paxNumber, paxTime, type PaxRecord, type Time } from './pax.ts';
import { checkSparse, paxSparse, readOldGnu, readPaxMap, type SparseMap } from './sparse.ts';

export type EntryKind = 'file' | 'hardlink' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

export interface TarEntry {
  readonly kind: EntryKind;
  /** Bytes as they came, not cleaned. */
  readonly path: Buffer;
  readonly link: Buffer;
  /** Permission bits, 07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of the file as it is read; the content of a sparse one is shorter. */
  readonly size: number;
  readonly mtime: Time;
  readonly major: number;
  readonly minor: number;
  /** Names in latin1, so that they are bytes. */
  readonly xattrs: ReadonlyMap<string, Buffer>;
  readonly sparse: SparseMap | null;
  /** Marks of the private form: `TWOFOLD.` without the prefix. */
  readonly marks: ReadonlyMap<string, string>;
  /** The stored bytes. What is not read by the time the next entry is asked for is passed over. */
  content(): AsyncIterableIterator<Buffer>;
}

export interface TarLimits {
  /** Bytes of one pax header or long name. */
  readonly headerBytes: number;
  /** Extended attributes of one entry. */
  readonly xattrs: number;
  /**
   * The archive must close as POSIX has it; otherwise an end between two entries will do, as it does for most readers.
   */
  readonly wholeEnd: boolean;
}

const defaults: TarLimits = { headerBytes: 4 << 20, xattrs: 512, wholeEnd: false };
const kinds: Readonly<Record<string, EntryKind>> = {
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
  S: 'file',
};

interface Extension {
  records: PaxRecord[];
  path?: Buffer;
  link?: Buffer;
}

/** The entries of an archive, one after the other. Reads the stream to its end. */
export async function* readTar(
  source: AsyncIterable<Uint8Array>,
  limits: Partial<TarLimits> = {},
): AsyncGenerator<TarEntry, void, void> {
  const bounds = { ...defaults, ...limits };
  const input = new ByteInput(source);
  try {
    for (;;) {
      const read = await readHeaders(input, bounds);
      if (read === null) break;
      const content = { left: 0, padding: 0 };
      yield await makeEntry(read.header, read.extension, input, bounds, content);
      await input.skip(content.left + content.padding);
    }
    await input.drain();
  } finally {
    await input.close();
  }
}

async function readHeaders(
  input: ByteInput,
  bounds: TarLimits,
): Promise<{ header: Header; extension: Extension } | null> {
  const extension: Extension = { records: [] };
  for (let count = 0; count < 16; count++) {
    const block = await input.exactly(blockBytes);
    if (block === null && (bounds.wholeEnd || count > 0)) throw broken('it ends too soon');
    const header = block === null ? null : parseHeader(block);
    if (header === null) {
      if (count > 0) throw broken('it ends too soon');
      return null;
    }
    if (!'xgLK'.includes(header.type)) return { header, extension };
    if (header.size < 0 || header.size > bounds.headerBytes) throw broken('a header is too large');
    const text = header.size === 0 ? Buffer.alloc(0) : await input.exactly(header.size);
    if (text === null) throw broken('it ends in the middle of a header');
    await input.skip(paddingOf(header.size));
    if (header.type === 'x') extension.records = parsePax(Buffer.from(text));
    else if (header.type === 'L') extension.path = upToZero(text);
    else if (header.type === 'K') extension.link = upToZero(text);
    // Nothing in a global header concerns a file.
  }
  throw broken('an entry has too many headers');
}

function paddingOf(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}

function upToZero(text: Buffer): Buffer {
  const zero = text.indexOf(0);
  return Buffer.from(zero < 0 ? text : text.subarray(0, zero));
}

async function makeEntry(
  header: Header,
  extension: Extension,
  input: ByteInput,
  bounds: TarLimits,
  content: { left: number; padding: number },
): Promise<TarEntry> {
  const { records } = extension;
  const find = (key: string) => records.findLast((record) => record.key === key)?.value;
  const number = (key: string, otherwise: number) => {
    const value = find(key);
    return value === undefined ? otherwise : paxNumber(value);
  };
  const path = find('GNU.sparse.name') ?? find('path') ?? extension.path ?? header.path;
  const link = find('linkpath') ?? extension.link ?? header.link;
  let kind = kinds[header.type];
  if (kind === undefined) throw broken(`an entry has the unknown type ${JSON.stringify(header.type)}`);
  // Before POSIX a directory was told by its name.
  if (kind === 'file' && path.at(-1) === 0x2f) kind = 'directory';
  if (path.includes(0) || link.includes(0)) throw broken('a name contains a NUL byte');
  // Links, devices and directories have no content, whatever the header says.
  const stored = header.type === '0' || header.type === 'S' ? number('size', header.size) : 0;
  if (stored < 0) throw broken('a size is negative');
  content.left = stored;
  content.padding = paddingOf(stored);
  const sparse = kind === 'file' ? await readSparse(header, records, find, input, stored, content) : null;
  const mtime = find('mtime');
  const entry = { uid: number('uid', header.uid), gid: number('gid', header.gid) };
  if (entry.uid < 0 || entry.uid >= 0xffffffff || entry.gid < 0 || entry.gid >= 0xffffffff)
    throw broken('an owner is out of range');
  return {
    kind,
    path,
    link,
    ...entry,
    mode: header.mode & 0o7777,
    size: kind !== 'file' ? 0 : (sparse?.size ?? stored),
    mtime: mtime === undefined ? { seconds: header.mtime, nanoseconds: 0 } : paxTime(mtime),
    major: header.major,
    minor: header.minor,
    xattrs: xattrsOf(records, bounds),
    sparse,
    marks: new Map(
      records
        .filter(({ key }) => key.startsWith('TWOFOLD.') && !key.startsWith('TWOFOLD.xattr.'))
        .map(({ key, value }) => [key.slice(8), value.toString('latin1')]),
    ),
    async *content() {
      while (content.left > 0) {
        const part = await input.some(content.left);
        if (part === null) throw broken('it ends in the middle of a file');
        content.left -= part.length;
        yield part;
      }
    },
  };
}

async function readSparse(
  header: Header,
  records: readonly PaxRecord[],
  find: (key: string) => Buffer | undefined,
  input: ByteInput,
  stored: number,
  content: { left: number },
): Promise<SparseMap | null> {
  if (header.type === 'S') {
    const { extents, size } = await readOldGnu(header.block, input);
    return checkSparse(extents, size, stored);
  }
  if (find('GNU.sparse.major')?.toString('latin1') === '1') {
    const { extents, used } = await readPaxMap(input, stored);
    content.left -= used;
    const size = find('GNU.sparse.realsize');
    if (size === undefined) throw broken('a sparse map is not valid');
    return checkSparse(extents, paxNumber(size), content.left);
  }
  const map = paxSparse(records);
  return map === null ? null : checkSparse(map.extents, map.size, stored);
}

function xattrsOf(records: readonly PaxRecord[], bounds: TarLimits): Map<string, Buffer> {
  const xattrs = new Map<string, Buffer>();
  for (const { key, value } of records) {
    if (key.startsWith('SCHILY.xattr.')) xattrs.set(key.slice(13), value);
    else if (key.startsWith('TWOFOLD.xattr.')) xattrs.set(decodeXattrName(key.slice(14)), value);
  }
  if (xattrs.size > bounds.xattrs) throw broken('an entry has too many extended attributes');
  return xattrs;
}
