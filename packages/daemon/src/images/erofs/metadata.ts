// Owns where inodes and directories lie in the image, and their writing. The tree is complete by then. Inodes come last
// in the file, one behind the other; a directory's or symlink's bytes lie behind its inode where they fit into the same
// block.

import {
  blockBytes,
  blocksFor,
  directoryBlockBytes,
  encodeDirectoryBlock,
  encodeInode,
  encodeXattrs,
  layouts,
  noBlock,
  packDirectory,
  slotBytes,
  xattrBytes,
  type Name,
} from './layout.ts';
import type { BlockOutput } from './output.ts';
import type { Time } from '../tar/pax.ts';
import { isWhiteout, type Node } from './tree.ts';
import { opaqueXattr } from './xattrs.ts';

interface Inode {
  readonly node: Node;
  readonly parent: Node;
  readonly extended: boolean;
  readonly names: Name[][] | null;
  readonly size: number;
  readonly links: number;
  readonly layout: number;
  /** First block of what doesn't lie behind the inode. */
  readonly block: number;
  /** Bytes from the start of the metadata. */
  readonly offset: number;
}

export interface MetadataPlan {
  readonly inodes: readonly Inode[];
  readonly metaBlock: number;
  readonly rootNid: number;
  readonly buildTime: Time;
  readonly hasChunks: boolean;
  readonly bytes: number;
}

/** Names an inode has no number 0: some programs take such a directory entry for a deleted one. */
const firstOffset = 2 * slotBytes;

/** Every node once, the root first, and how many names lead to it. */
function collect(root: Node): { node: Node; parent: Node }[] {
  const found: { node: Node; parent: Node }[] = [];
  const seen = new Set<Node>();
  // What an opaque directory holds has nothing below it that a whiteout could hide, and would be listed as a device.
  const stack: { node: Node; parent: Node; hidden: boolean }[] = [{ node: root, parent: root, hidden: false }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { node, parent } = next;
    if (seen.has(node)) {
      node.links++;
      continue;
    }
    seen.add(node);
    found.push({ node, parent });
    node.links = 1;
    if (node.children === null) continue;
    const isRoot = node === root;
    const hidden = next.hidden || (node.opaque && !isRoot);
    if (hidden) for (const [name, child] of node.children) if (isWhiteout(child)) node.children.delete(name);
    // An opaque root says nothing to overlayfs: a layer's root is always merged.
    if (node.opaque && !isRoot)
      node.attributes = { ...node.attributes, xattrs: [...node.attributes.xattrs, opaqueXattr] };
    const children = [...node.children].toSorted(([a], [b]) => (a < b ? 1 : -1));
    for (const [, child] of children) stack.push({ node: child, parent: node, hidden });
  }
  return found;
}

/** The time most inodes have: those can be small. */
function commonTime(nodes: readonly { node: Node }[]): Time {
  const counts = new Map<string, { time: Time; count: number }>();
  let best = { time: { seconds: 0, nanoseconds: 0 }, count: 0 };
  for (const { node } of nodes) {
    const time = node.attributes.mtime;
    const key = `${time.seconds}.${time.nanoseconds}`;
    const entry = counts.get(key) ?? { time, count: 0 };
    entry.count++;
    counts.set(key, entry);
    if (entry.count > best.count) best = entry;
  }
  return best.time;
}

function directoryLinks(node: Node): number {
  let links = 2;
  for (const child of node.children!.values()) if (child.kind === 'directory') links++;
  return links;
}

/** Decides the place of everything that is not written yet. */
export function placeMetadata(root: Node, output: BlockOutput): MetadataPlan {
  const nodes = collect(root);
  const buildTime = commonTime(nodes);
  let cursor = firstOffset;
  let hasChunks = false;
  const inodes: Inode[] = [];
  for (const { node, parent } of nodes) {
    const { uid, gid, mtime, xattrs } = node.attributes;
    const names = node.kind === 'directory' ? packDirectory(node, parent) : null;
    const tail = names !== null ? directoryBlockBytes(names.at(-1)!) : (node.target?.length ?? 0);
    const size = names !== null ? (names.length - 1) * blockBytes + tail : node.size;
    const links = names !== null ? directoryLinks(node) : node.links;
    const extended =
      uid > 0xffff ||
      gid > 0xffff ||
      links > 0xffff ||
      size > 0xffff_ffff ||
      mtime.seconds !== buildTime.seconds ||
      mtime.nanoseconds !== buildTime.nanoseconds;
    const head = (extended ? 64 : 32) + xattrBytes(xattrs);
    const isInline = tail > 0 && head + tail <= blockBytes;
    const chunks = node.data?.at === 'chunks' ? node.data.blocks.length * 4 : 0;
    const length = head + (isInline ? tail : 0) + chunks;
    // What lies behind an inode must not cross into the next block.
    if (isInline && (cursor % blockBytes) + length > blockBytes) cursor = Math.ceil(cursor / blockBytes) * blockBytes;
    const away = blocksFor(size) - (isInline ? 1 : 0);
    const block =
      node.data?.at === 'row' ? node.data.block : node.kind !== 'file' && away > 0 ? output.allocate(away) : noBlock;
    hasChunks ||= chunks > 0;
    inodes.push({
      node,
      parent,
      extended,
      names,
      size,
      links,
      block,
      offset: cursor,
      layout: chunks > 0 ? layouts.chunks : isInline ? layouts.inline : layouts.plain,
    });
    cursor = Math.ceil((cursor + length) / slotBytes) * slotBytes;
  }
  const metaBlock = output.allocate(blocksFor(cursor));
  return { inodes, metaBlock, rootNid: firstOffset / slotBytes, buildTime, hasChunks, bytes: cursor };
}

function unionOf({ node, layout, block }: Inode): number {
  if (node.kind === 'character' || node.kind === 'block') return node.device;
  if (layout === layouts.chunks && node.data?.at === 'chunks') return node.data.bits;
  return node.kind === 'fifo' || node.kind === 'socket' ? 0 : block;
}

/** Writes directories, then inodes. */
export function writeMetadata(plan: MetadataPlan, output: BlockOutput): void {
  const nids = new Map(plan.inodes.map(({ node, offset }) => [node, offset / slotBytes]));
  const nidOf = (node: Node): number => nids.get(node)!;
  const parts = ({ node, names }: Inode): Buffer[] =>
    names?.map((block) => encodeDirectoryBlock(block, nidOf)) ?? (node.target === null ? [] : [node.target]);
  for (const inode of plan.inodes) {
    if (inode.block === noBlock || inode.node.kind === 'file') continue;
    const away = parts(inode).slice(0, inode.layout === layouts.inline ? -1 : undefined);
    for (const [i, part] of away.entries()) output.write(part, (inode.block + i) * blockBytes);
  }
  const start = plan.metaBlock * blockBytes;
  for (const [number, inode] of plan.inodes.entries()) {
    const { node, extended, layout, size, links, offset } = inode;
    const head = (extended ? 64 : 32) + xattrBytes(node.attributes.xattrs);
    const bytes = Buffer.alloc(head);
    encodeInode({ node, extended, layout, links, size, union: unionOf(inode), number: number + 1 }, bytes, 0);
    encodeXattrs(node.attributes.xattrs, bytes, extended ? 64 : 32);
    output.write(bytes, start + offset);
    if (layout === layouts.inline) output.write(parts(inode).at(-1)!, start + offset + head);
    else if (layout === layouts.chunks && node.data?.at === 'chunks')
      output.write(encodeChunks(node.data.blocks), start + offset + head);
  }
}

function encodeChunks(blocks: Int32Array): Buffer {
  const out = Buffer.allocUnsafe(blocks.length * 4);
  for (let i = 0; i < blocks.length; i++) out.writeInt32LE(blocks[i]!, i * 4);
  return out;
}
