// Owns the way from tar entries to an EROFS image in one pass: file content goes out as it comes, the tree is kept in
// memory, and at the end come directories, inodes and, last, the superblock. Writes through a Sink only; the same
// entries give the same bytes.

import { TwofoldError } from '@twofold/contract';
import { cleanPath, printable } from '../tar/path.ts';
import type { EntryKind, TarEntry } from '../tar/reader.ts';
import { blockBits, blockBytes, blocksFor, encodeDevice, encodeSuper } from './layout.ts';
import { takeMark } from './marks.ts';
import { placeMetadata, writeMetadata } from './metadata.ts';
import { BlockOutput, type Sink } from './output.ts';
import { makeNode, Tree, type Attributes, type FileData, type Node, type Xattr } from './tree.ts';
import { keepXattrs } from './xattrs.ts';

export interface LayerLimits {
  /** Files, directories and so on, those implied by paths included. */
  readonly entries: number;
  /** The image's size, holes left out. */
  readonly bytes: number;
  /** What must be kept in memory until the end: attributes, symlinks, maps of sparse files. */
  readonly metadataBytes: number;
}

export const defaultLimits: LayerLimits = { entries: 2_000_000, bytes: 256 * 2 ** 30, metadataBytes: 256 << 20 };

export type LayerForm = 'oci' | 'private';

/** Layers lie in a guest's disk as extents of whole mebibytes. */
const fileAlignment = 1 << 20;
/** A map longer than this makes the chunks larger instead. */
const maxChunks = 1 << 18;

export interface WrittenImage {
  /** Files, directories and so on; 0 where the archive had no entry at all. */
  readonly entries: number;
  /** Of the image. */
  readonly bytes: number;
  /** Sizes of files and symlinks, one with several names counted once: what Docker calls the size of a layer. */
  readonly contentBytes: number;
}

export class ErofsWriter {
  readonly #form: LayerForm;
  readonly #limits: LayerLimits;
  readonly #sink: Sink;
  readonly #output: BlockOutput;
  readonly #tree: Tree;
  #metadataBytes = 0;
  #added = 0;

  constructor(sink: Sink, form: LayerForm, limits: Partial<LayerLimits> = {}) {
    this.#limits = { ...defaultLimits, ...limits };
    this.#form = form;
    this.#sink = sink;
    this.#output = new BlockOutput(sink, this.#limits.bytes);
    this.#tree = new Tree(this.#limits.entries);
  }

  /** Takes the next entry of the archive, with its content. */
  async add(entry: TarEntry): Promise<void> {
    this.#added++;
    const path = cleanPath(entry.path);
    const name = path.pop();
    const attributes = this.#attributes(entry);
    if (name === undefined) {
      if (entry.kind !== 'directory')
        throw new TwofoldError('invalid-argument', 'The root of the layer is not a directory.');
      this.#tree.root.attributes = attributes;
      return;
    }
    if (takeMark(this.#tree, this.#form, path, name, entry)) return;
    const parent = this.#tree.directory(path, true)!;
    const old = parent.children!.get(name);
    if (entry.kind === 'directory' && old?.kind === 'directory') {
      old.attributes = attributes;
      old.opaque ||= this.#isMarked(entry, 'opaque');
      return;
    }
    this.#tree.put(
      parent,
      name,
      entry.kind === 'hardlink' ? this.#linked(entry, attributes) : await this.#made(entry, attributes),
    );
  }

  #attributes(entry: TarEntry): Attributes {
    const { mode, uid, gid, mtime } = entry;
    const xattrs = keepXattrs(entry);
    this.#remember(xattrs.reduce((sum, { name, value }) => sum + name.length + value.length, entry.link.length));
    return { mode, uid, gid, mtime, xattrs };
  }

  /** Records of the private form say nothing in an image's layer. */
  #isMarked(entry: TarEntry, mark: string): boolean {
    return this.#form === 'private' && entry.marks.has(mark);
  }

  #remember(bytes: number): void {
    this.#metadataBytes += bytes;
    if (this.#metadataBytes > this.#limits.metadataBytes)
      throw new TwofoldError(
        'invalid-argument',
        `The layer has more than ${this.#limits.metadataBytes} bytes of attributes and links.`,
      );
  }

  /** A name more for a file, which has from then on what this entry says of it, as unpacking it would have made. */
  #linked(entry: TarEntry, attributes: Attributes): Node {
    const path = cleanPath(entry.link);
    const name = path.pop();
    const target = name === undefined ? undefined : this.#tree.directory(path, false)?.children!.get(name);
    if (target === undefined || target.kind === 'directory')
      throw new TwofoldError(
        'invalid-argument',
        `The archive's entry ${printable(entry.path)} is a link to ${printable(entry.link)}, which is not a file in the archive.`,
      );
    const { xattrs: old } = target.attributes;
    const isNew = ({ index, name }: Xattr) =>
      !attributes.xattrs.some((one) => one.index === index && one.name.equals(name));
    target.attributes = {
      ...attributes,
      ...(target.kind === 'symlink' ? { mode: target.attributes.mode } : {}),
      xattrs: [...old.filter(isNew), ...attributes.xattrs],
    };
    return target;
  }

  async #made(entry: TarEntry, attributes: Attributes): Promise<Node> {
    this.#tree.admit();
    if (entry.kind === 'symlink' && (entry.link.length === 0 || entry.link.length >= blockBytes))
      throw new TwofoldError(
        'invalid-argument',
        `The archive's symlink ${printable(entry.path)} has an invalid target.`,
      );
    if (entry.major > 0xfff || entry.minor > 0xfffff)
      throw new TwofoldError(
        'invalid-argument',
        `The archive's device ${printable(entry.path)} has an invalid number.`,
      );
    const kind =
      entry.kind === 'file' && this.#isMarked(entry, 'socket')
        ? 'socket'
        : (entry.kind as Exclude<EntryKind, 'hardlink'>);
    const isDevice = kind === 'character' || kind === 'block';
    // Linux knows no mode of symlinks.
    const node = makeNode(kind, kind === 'symlink' ? { ...attributes, mode: 0o777 } : attributes, {
      ...(kind === 'symlink' ? { target: entry.link } : {}),
      ...(isDevice ? { device: encodeDevice(entry.major, entry.minor) } : {}),
    });
    node.opaque = kind === 'directory' && this.#isMarked(entry, 'opaque');
    if (kind === 'file') {
      node.size = entry.size;
      node.data = entry.sparse === null ? await this.#row(entry) : await this.#chunks(entry, entry.sparse.extents);
    }
    return node;
  }

  async #row(entry: TarEntry): Promise<FileData | null> {
    if (entry.size === 0) return null;
    const block = this.#output.allocate(blocksFor(entry.size));
    let position = block * blockBytes;
    for await (const part of entry.content()) {
      this.#output.write(part, position);
      position += part.length;
    }
    return { at: 'row', block };
  }

  async #chunks(
    entry: TarEntry,
    extents: readonly { readonly offset: number; readonly length: number }[],
  ): Promise<FileData> {
    let bits = 0;
    while (Math.ceil(entry.size / 2 ** (blockBits + bits)) > maxChunks) bits++;
    const chunkBytes = 2 ** (blockBits + bits);
    const blocks = new Int32Array(Math.ceil(entry.size / chunkBytes)).fill(-1);
    this.#remember(blocks.byteLength);
    let extent = 0;
    let done = 0; // of the present extent
    for await (const part of entry.content()) {
      for (let used = 0; used < part.length;) {
        const { offset, length } = extents[extent]!;
        const at = offset + done;
        const chunk = Math.floor(at / chunkBytes);
        const inChunk = at - chunk * chunkBytes;
        if (blocks[chunk] === -1)
          blocks[chunk] = this.#output.allocate(blocksFor(Math.min(chunkBytes, entry.size - chunk * chunkBytes)));
        const take = Math.min(part.length - used, length - done, chunkBytes - inChunk);
        this.#output.write(part.subarray(used, used + take), blocks[chunk]! * blockBytes + inChunk);
        used += take;
        done += take;
        if (done === length) {
          extent++;
          done = 0;
        }
      }
    }
    return { at: 'chunks', bits, blocks };
  }

  /** Writes what is left, the superblock last. `uuid` is the file system's: 16 bytes made of the content. */
  finish(uuid: Buffer): WrittenImage {
    const plan = placeMetadata(this.#tree.root, this.#output);
    writeMetadata(plan, this.#output);
    this.#output.flush();
    const bytes = Math.ceil((this.#output.nextBlock * blockBytes) / fileAlignment) * fileAlignment;
    this.#sink(
      encodeSuper({
        rootNid: plan.rootNid,
        inodes: plan.inodes.length,
        buildTime: plan.buildTime,
        blocks: bytes / blockBytes,
        metaBlock: plan.metaBlock,
        uuid,
        hasChunks: plan.hasChunks,
      }),
      0,
    );
    return {
      entries: this.#added === 0 ? 0 : plan.inodes.length,
      bytes,
      contentBytes: plan.inodes.reduce((sum, { node }) => sum + node.size, 0),
    };
  }
}
