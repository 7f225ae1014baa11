// Owns the bytes of EROFS on disk: superblock, inodes, directories, extended attributes. Pure. What the kernel demands
// of them is in its Documentation/filesystems/erofs.rst; only uncompressed layouts are used, which every kernel since
// 5.15 reads.

import { crc32c } from './crc32c.ts';
import type { Node, NodeKind, Xattr } from './tree.ts';

export const blockBytes = 4096;
export const blockBits = 12;
export const slotBytes = 32;
export const noBlock = 0xffff_ffff;

export const layouts = { plain: 0, inline: 2, chunks: 4 } as const;
const superMagic = 0xe0f5e1e2;
const superOffset = 1024;
const compatChecksum = 1;
const compatMtime = 2;
const incompatChunks = 4;

const modeBits: Readonly<Record<NodeKind, number>> = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
};
const fileTypes: Readonly<Record<NodeKind, number>> = {
  file: 1,
  directory: 2,
  character: 3,
  block: 4,
  fifo: 5,
  socket: 6,
  symlink: 7,
};

export function blocksFor(bytes: number): number {
  return Math.ceil(bytes / blockBytes);
}

/** A device number as the kernel's new_encode_dev has it. */
export function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}

const align4 = (bytes: number): number => (bytes + 3) & ~3;

export function xattrBytes(xattrs: readonly Xattr[]): number {
  if (xattrs.length === 0) return 0;
  return xattrs.reduce((sum, { name, value }) => sum + align4(4 + name.length + value.length), 12);
}

export function encodeXattrs(xattrs: readonly Xattr[], out: Buffer, offset: number): void {
  if (xattrs.length === 0) return;
  let at = offset + 12; // the header: no shared attributes
  for (const { index, name, value } of xattrs) {
    out[at] = name.length;
    out[at + 1] = index;
    out.writeUInt16LE(value.length, at + 2);
    name.copy(out, at + 4);
    value.copy(out, at + 4 + name.length);
    at += align4(4 + name.length + value.length);
  }
}

export interface InodeFields {
  readonly node: Node;
  readonly extended: boolean;
  readonly layout: number;
  readonly links: number;
  readonly size: number;
  /** A block, a device number or a chunk format, by kind and layout. */
  readonly union: number;
  readonly number: number;
}

export function encodeInode(
  { node, extended, layout, links, size, union, number }: InodeFields,
  out: Buffer,
  offset: number,
): void {
  const { mode, uid, gid, mtime, xattrs } = node.attributes;
  const xattr = xattrBytes(xattrs);
  out.writeUInt16LE((layout << 1) | (extended ? 1 : 0), offset);
  out.writeUInt16LE(xattr === 0 ? 0 : 1 + (xattr - 12) / 4, offset + 2);
  out.writeUInt16LE(modeBits[node.kind] | mode, offset + 4);
  out.writeUInt32LE(union, offset + 16);
  out.writeUInt32LE(number, offset + 20);
  if (extended) {
    out.writeBigUInt64LE(BigInt(size), offset + 8);
    out.writeUInt32LE(uid, offset + 24);
    out.writeUInt32LE(gid, offset + 28);
    out.writeBigInt64LE(BigInt(mtime.seconds), offset + 32);
    out.writeUInt32LE(mtime.nanoseconds, offset + 40);
    out.writeUInt32LE(links, offset + 44);
  } else {
    out.writeUInt16LE(links, offset + 6);
    out.writeUInt32LE(size, offset + 8);
    out.writeUInt16LE(uid, offset + 24);
    out.writeUInt16LE(gid, offset + 26);
  }
}

export interface Name {
  readonly bytes: Buffer;
  readonly node: Node;
}

/** A directory's names in the order of their bytes, `.` and `..` among them, cut into blocks. */
export function packDirectory(directory: Node, parent: Node): Name[][] {
  const names: Name[] = [
    { bytes: Buffer.from('.'), node: directory },
    { bytes: Buffer.from('..'), node: parent },
  ];
  for (const [name, node] of directory.children!) names.push({ bytes: Buffer.from(name, 'latin1'), node });
  names.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  const blocks: Name[][] = [];
  let block: Name[] = [];
  let used = 0;
  for (const name of names) {
    if (used + 12 + name.bytes.length > blockBytes) {
      blocks.push(block);
      block = [];
      used = 0;
    }
    block.push(name);
    used += 12 + name.bytes.length;
  }
  blocks.push(block);
  return blocks;
}

export function directoryBlockBytes(block: readonly Name[]): number {
  return block.reduce((sum, { bytes }) => sum + 12 + bytes.length, 0);
}

/** One block of a directory, not longer than it must be. */
export function encodeDirectoryBlock(block: readonly Name[], nidOf: (node: Node) => number): Buffer {
  const out = Buffer.alloc(directoryBlockBytes(block));
  let nameAt = 12 * block.length;
  for (const [i, { bytes, node }] of block.entries()) {
    out.writeBigUInt64LE(BigInt(nidOf(node)), 12 * i);
    out.writeUInt16LE(nameAt, 12 * i + 8);
    out[12 * i + 10] = fileTypes[node.kind];
    bytes.copy(out, nameAt);
    nameAt += bytes.length;
  }
  return out;
}

export interface SuperFields {
  readonly rootNid: number;
  readonly inodes: number;
  readonly buildTime: { readonly seconds: number; readonly nanoseconds: number };
  readonly blocks: number;
  readonly metaBlock: number;
  readonly uuid: Buffer;
  readonly hasChunks: boolean;
}

/** The first block of the image. */
export function encodeSuper(fields: SuperFields): Buffer {
  const block = Buffer.alloc(blockBytes);
  const out = block.subarray(superOffset);
  out.writeUInt32LE(superMagic, 0);
  out.writeUInt32LE(compatChecksum | compatMtime, 8);
  out[12] = blockBits;
  out.writeUInt16LE(fields.rootNid, 14);
  out.writeBigUInt64LE(BigInt(fields.inodes), 16);
  out.writeBigInt64LE(BigInt(fields.buildTime.seconds), 24);
  out.writeUInt32LE(fields.buildTime.nanoseconds, 32);
  out.writeUInt32LE(fields.blocks, 36);
  out.writeUInt32LE(fields.metaBlock, 40);
  fields.uuid.copy(out, 48, 0, 16);
  out.writeUInt32LE(fields.hasChunks ? incompatChunks : 0, 80);
  out.writeUInt32LE(crc32c(0xffff_ffff, out), 4);
  return block;
}
