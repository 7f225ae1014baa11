// Owns the making of tar archives byte by byte, broken and hostile ones too, which no tar program would write.

export interface Made {
  readonly path: string | Buffer;
  readonly type?: string;
  readonly link?: string;
  readonly content?: string | Buffer;
  /** What the header says of the size, if it lies. */
  readonly size?: number;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly device?: readonly [number, number];
  /** Records of a pax header in front. */
  readonly pax?: Readonly<Record<string, string | Buffer>>;
}

const blockBytes = 512;

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((blockBytes - (content.length % blockBytes)) % blockBytes)]);
}

/** A `LENGTH key=value\n` record. */
export function paxRecord(key: string, value: string | Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), Buffer.from(value as string), Buffer.from('\n')]);
  let length = body.length + 1;
  while (String(length).length + body.length !== length) length = String(length).length + body.length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

export function header({
  path,
  type = '0',
  link = '',
  content = '',
  size,
  mode = 0o644,
  uid = 0,
  gid = 0,
  mtime = 0,
  device = [0, 0],
}: Made): Buffer {
  const block = Buffer.alloc(blockBytes);
  const put = (value: string | Buffer, at: number, length: number) =>
    Buffer.from(value as string).copy(block, at, 0, length);
  const octal = (value: number, at: number, length: number) =>
    put(value.toString(8).padStart(length - 1, '0'), at, length);
  /** As GNU tar writes what octal digits have no room for: in base 256, the first bit set. */
  const id = (value: number, at: number) => {
    if (value >= 0 && value < 8 ** 7) return octal(value, at, 8);
    block.writeBigInt64BE(BigInt(value), at);
    if (value >= 0) block[at]! |= 0x80;
  };
  put(path, 0, 100);
  octal(mode, 100, 8);
  id(uid, 108);
  id(gid, 116);
  octal(size ?? Buffer.byteLength(content), 124, 12);
  octal(mtime, 136, 12);
  put(type, 156, 1);
  put(link, 157, 100);
  put('ustar\0' + '00', 257, 8);
  octal(device[0], 329, 8);
  octal(device[1], 337, 8);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8);
  return block;
}

/** One entry: pax header if asked for, header, content. */
export function entry(made: Made): Buffer {
  const records = Object.entries(made.pax ?? {}).map(([key, value]) => paxRecord(key, value));
  const front =
    records.length === 0
      ? []
      : [header({ path: 'pax', type: 'x', content: Buffer.concat(records) }), padded(Buffer.concat(records))];
  return Buffer.concat([...front, header(made), padded(Buffer.from((made.content ?? '') as string))]);
}

export const end: Buffer = Buffer.alloc(2 * blockBytes);

export function archive(...entries: readonly Made[]): Buffer {
  return Buffer.concat([...entries.map(entry), end]);
}
