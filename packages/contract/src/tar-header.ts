// Owns writing tar's 512-byte headers (POSIX ustar) for archives that we make ourselves: short names, no attributes.
// Reading tar, and layers with all they can hold, is images/tar's and native/layer's.

const blockBytes = 512;

export interface TarHeader {
  /** At most 100 bytes; a directory's ends in `/`. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink';
  /** Permission bits. */
  readonly mode: number;
  readonly size?: number;
  /** Of a symlink its target, of a hard link an earlier path of the archive; at most 100 bytes. */
  readonly link?: string;
  /** Unix time in seconds; 0. */
  readonly mtime?: number;
  readonly uid?: number;
  readonly gid?: number;
}

const types = { file: '0', hardlink: '1', symlink: '2', directory: '5' } as const;

/** The header block of one entry. Its content follows, filled up by `tarPadding`. */
export function tarHeader(header: TarHeader): Buffer {
  const block = Buffer.alloc(blockBytes);
  const text = (value: string, offset: number, length: number) => {
    if (Buffer.byteLength(value) > length)
      throw new RangeError(`${JSON.stringify(value)} is too long for a plain tar header.`);
    block.write(value, offset);
  };
  const number = (value: number, offset: number, length: number) => {
    const octal = value.toString(8);
    if (octal.length < length) return text(octal.padStart(length - 1, '0'), offset, length);
    // GNU's base 256, for more than eight gigabytes.
    block.writeBigUInt64BE(BigInt(value), offset + length - 8);
    block[offset] = 0x80;
  };
  text(header.path, 0, 100);
  number(header.mode, 100, 8);
  number(header.uid ?? 0, 108, 8);
  number(header.gid ?? 0, 116, 8);
  number(header.size ?? 0, 124, 12);
  number(header.mtime ?? 0, 136, 12);
  text(types[header.kind], 156, 1);
  text(header.link ?? '', 157, 100);
  block.write('ustar\x0000', 257, 'latin1');
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** The zeroes behind `size` bytes of content. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((blockBytes - (size % blockBytes)) % blockBytes);
}

/** What ends an archive. */
export function tarEnd(): Buffer {
  return Buffer.alloc(2 * blockBytes);
}
