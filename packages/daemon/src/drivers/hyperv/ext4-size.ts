// Owns telling how much lies in a writable disk, an ext4 that only guests mount: its inode tables are read, and nothing
// is followed. What a guest has written is hostile: every number is bounded. Source:
// https://docs.kernel.org/filesystems/ext4/ (superblock, group descriptors, inode table)

import { open, type FileHandle } from 'node:fs/promises';

const superOffset = 1024;
const magic = 0xef53;
const incompatRecover = 0x4;
const incompatMetaGroups = 0x10;
const incompat64Bit = 0x80;
const groupWithoutInodes = 0x1;
const regularFile = 0x8000;
const symlink = 0xa000;
/** Of the file system's own: up to the journal and what is reserved. */
const firstOwnInode = 11;
const most = { groups: 1 << 16, inodesPerGroup: 1 << 17, inodeBytes: 4096, blockBytes: 65536 } as const;
const readBytes = 1 << 20;
/** A guest may describe more inode tables than it has, or one many times: nobody reads for ever. */
const mostTableBytes = 512 << 20;

/**
 * Bytes of its files and symlinks; null where the disk does not say: it is no ext4 of the plain kind, or was not
 * unmounted, and the journal knows better.
 */
export async function contentOfExt4(path: string): Promise<number | null> {
  await using disk = await open(path, 'r');
  const head = await readAt(disk, superOffset, 1024);
  if (head === null || head.readUInt16LE(0x38) !== magic) return null;
  const incompatible = head.readUInt32LE(0x60);
  if ((incompatible & (incompatRecover | incompatMetaGroups)) !== 0) return null;
  const inodesPerGroup = head.readUInt32LE(0x28);
  const inodeBytes = head.readUInt16LE(0x58);
  const blockBytes = 1024 * 2 ** Math.min(head.readUInt32LE(0x18), 7);
  if (inodesPerGroup === 0 || inodesPerGroup > most.inodesPerGroup || blockBytes > most.blockBytes) return null;
  if (inodeBytes < 128 || inodeBytes > most.inodeBytes) return null;
  const groups = Math.ceil(head.readUInt32LE(0) / inodesPerGroup);
  const descriptorBytes = (incompatible & incompat64Bit) === 0 ? 32 : head.readUInt16LE(0xfe);
  if (groups > most.groups || descriptorBytes < 32 || descriptorBytes > 1024) return null;
  const table = await readAt(disk, (head.readUInt32LE(0x14) + 1) * blockBytes, groups * descriptorBytes);
  if (table === null) return null;
  let sum = 0;
  let left = mostTableBytes;
  for (let group = 0; group < groups; group++) {
    const at = group * descriptorBytes;
    const isWide = descriptorBytes >= 64;
    if ((table.readUInt16LE(at + 0x12) & groupWithoutInodes) !== 0) continue;
    const unused = table.readUInt16LE(at + 0x1c) + (isWide ? table.readUInt16LE(at + 0x32) * 65536 : 0);
    const block = table.readUInt32LE(at + 0x8) + (isWide ? table.readUInt32LE(at + 0x28) * 2 ** 32 : 0);
    const used = inodesPerGroup - Math.min(unused, inodesPerGroup);
    if ((left -= used * inodeBytes) < 0) return null;
    const added = await contentOfGroup(disk, block * blockBytes, used, inodeBytes, group === 0 ? firstOwnInode : 0);
    if (added === null) return null;
    sum += added;
  }
  return Math.min(sum, Number.MAX_SAFE_INTEGER);
}

async function contentOfGroup(
  disk: FileHandle,
  offset: number,
  inodes: number,
  inodeBytes: number,
  first: number,
): Promise<number | null> {
  const atOnce = Math.floor(readBytes / inodeBytes);
  let sum = 0;
  for (let from = first; from < inodes; from += atOnce) {
    const count = Math.min(atOnce, inodes - from);
    const part = await readAt(disk, offset + from * inodeBytes, count * inodeBytes);
    if (part === null) return null;
    for (let at = 0; at < part.length; at += inodeBytes) {
      const kind = part.readUInt16LE(at) & 0xf000;
      if ((kind !== regularFile && kind !== symlink) || part.readUInt16LE(at + 0x1a) === 0) continue;
      sum += part.readUInt32LE(at + 0x4) + part.readUInt32LE(at + 0x6c) * 2 ** 32;
    }
  }
  return sum;
}

/** Null when the disk ends before. */
async function readAt(disk: FileHandle, position: number, length: number): Promise<Buffer | null> {
  if (!Number.isSafeInteger(position)) return null;
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await disk.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) return null;
    done += bytesRead;
  }
  return bytes;
}
