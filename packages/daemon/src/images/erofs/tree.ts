// Owns the file tree of a layer while it is being read: nodes, names, hard links, what a later entry replaces. Paths
// are resolved in this tree alone, symlinks included, as unpacking into an empty root would. Content and bytes on disk
// are writer.ts's.

import { TwofoldError } from '@twofold/contract';
import { printable } from '../tar/path.ts';
import type { Time } from '../tar/pax.ts';

export type NodeKind = 'file' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo' | 'socket';

export interface Xattr {
  readonly index: number;
  readonly name: Buffer;
  readonly value: Buffer;
}

/** Where a file's content lies: blocks in a row, or a list of chunks (−1: a hole). */
export type FileData =
  | { readonly at: 'row'; readonly block: number }
  | { readonly at: 'chunks'; readonly bits: number; readonly blocks: Int32Array };

export interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Time;
  readonly xattrs: readonly Xattr[];
}

export interface Node {
  readonly kind: NodeKind;
  attributes: Attributes;
  size: number;
  data: FileData | null;
  readonly target: Buffer | null;
  readonly device: number;
  /** Names that lead here, counted when the tree is complete. */
  links: number;
  readonly children: Map<string, Node> | null;
  /** A directory hides what lower layers have at its place. */
  opaque: boolean;
}

export const plain: Attributes = { mode: 0o755, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 }, xattrs: [] };

export function makeNode(
  kind: NodeKind,
  attributes: Attributes,
  more: { target?: Buffer; device?: number } = {},
): Node {
  return {
    kind,
    attributes,
    size: more.target?.length ?? 0,
    data: null,
    target: more.target ?? null,
    device: more.device ?? 0,
    links: 0,
    children: kind === 'directory' ? new Map() : null,
    opaque: false,
  };
}

/** What overlayfs takes for "this name is deleted". */
export function makeWhiteout(): Node {
  return makeNode('character', { ...plain, mode: 0 });
}

export function isWhiteout(node: Node): boolean {
  return node.kind === 'character' && node.device === 0;
}

const maxSymlinks = 40;

/** The tree, and how many nodes it has ever taken. */
export class Tree {
  readonly root = makeNode('directory', plain);
  readonly #maxEntries: number;
  count = 1;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  /** Counts one more node, or refuses it. */
  admit(): void {
    if (++this.count > this.#maxEntries)
      throw new TwofoldError('invalid-argument', `The layer has more than ${this.#maxEntries} entries.`);
  }

  /** The directory at `path`, made where it is missing; symlinks on the way are followed from this tree's root. */
  directory(path: readonly string[], make: boolean): Node | null {
    const trail: Node[] = [this.root];
    let ahead = [...path].toReversed();
    for (let links = 0; ahead.length > 0;) {
      const part = ahead.pop()!;
      if (part === '..') {
        if (trail.length > 1) trail.pop();
        continue;
      }
      const here = trail.at(-1)!;
      let next = here.children!.get(part);
      if (next === undefined || isWhiteout(next)) {
        if (!make) return null;
        this.admit();
        next = makeNode('directory', plain);
        this.put(here, part, next);
      }
      if (next.kind === 'symlink') {
        if (++links > maxSymlinks)
          throw new TwofoldError(
            'invalid-argument',
            `The archive's entry ${printable(path.join('/'))} leads through too many symlinks.`,
          );
        const target = next.target!.toString('latin1');
        if (target.startsWith('/')) trail.length = 1;
        ahead = ahead.concat(
          target
            .split('/')
            .filter((word) => word !== '' && word !== '.')
            .toReversed(),
        );
        if (ahead.length > 1 << 16)
          throw new TwofoldError(
            'invalid-argument',
            `The archive's entry ${printable(path.join('/'))} leads through too many symlinks.`,
          );
      } else if (next.kind === 'directory') {
        trail.push(next);
      } else {
        throw new TwofoldError(
          'invalid-argument',
          `The archive's entry ${printable(path.join('/'))} lies below something that is not a directory.`,
        );
      }
    }
    return trail.at(-1)!;
  }

  /**
   * Gives `node` a name, taking it from what had it. A directory in the place of a whiteout hides what the whiteout
   * hid.
   */
  put(parent: Node, name: string, node: Node): void {
    const old = parent.children!.get(name);
    if (node.kind === 'directory' && old !== undefined && isWhiteout(old)) node.opaque = true;
    parent.children!.set(name, node);
  }
}
