// Owns the writing of a cpio archive in the kernel's "newc" form, for the initramfs. Same entries, same bytes: no
// times, owners 0.

export type CpioEntry =
  | { readonly path: string; readonly kind: 'directory'; readonly mode: number }
  | { readonly path: string; readonly kind: 'file'; readonly mode: number; readonly data: Uint8Array }
  | {
      readonly path: string;
      readonly kind: 'character-device';
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
    };

const typeBits = { directory: 0o040000, file: 0o100000, 'character-device': 0o020000 } as const;

/** The archive. Parents must come before what is in them; paths are relative (`bin/layer`). */
export function writeCpio(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  const member = (
    name: string,
    mode: number,
    inode: number,
    data: Uint8Array,
    device: readonly [number, number],
    links: number,
  ) => {
    const nameBytes = Buffer.from(`${name}\0`, 'utf8');
    const fields = [inode, mode, 0, 0, links, 0, data.length, 0, 0, device[0], device[1], nameBytes.length, 0];
    const header = Buffer.from(
      `070701${fields.map((field) => field.toString(16).toUpperCase().padStart(8, '0')).join('')}`,
      'latin1',
    );
    parts.push(
      header,
      nameBytes,
      padding(header.length + nameBytes.length),
      Buffer.from(data.buffer, data.byteOffset, data.byteLength),
      padding(data.length),
    );
  };
  const none = Buffer.alloc(0);
  entries.forEach((entry, index) => {
    const data = entry.kind === 'file' ? entry.data : none;
    const device: [number, number] = entry.kind === 'character-device' ? [entry.major, entry.minor] : [0, 0];
    member(entry.path, typeBits[entry.kind] | entry.mode, index + 1, data, device, entry.kind === 'directory' ? 2 : 1);
  });
  member('TRAILER!!!', 0, 0, none, [0, 0], 1);
  return Buffer.concat(parts);
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
