// Owns the marks by which a layer says what it deletes: the OCI form's `.wh.` names, the private form's records. See
// docs/layers.md.

import { TwofoldError } from '@twofold/contract';
import { printable } from '../tar/path.ts';
import type { TarEntry } from '../tar/reader.ts';
import { makeWhiteout, type Node, type Tree } from './tree.ts';

const prefix = '.wh.';
const metaPrefix = '.wh..wh.';
const opaqueName = '.wh..wh..opq';

/** Takes an entry that is a mark and tells true; false leaves it to the caller. */
export function takeMark(
  tree: Tree,
  form: 'oci' | 'private',
  path: readonly string[],
  name: string,
  entry: TarEntry,
): boolean {
  if (form === 'private') {
    if (!entry.marks.has('whiteout')) {
      if (entry.kind === 'character' && entry.major === 0 && entry.minor === 0)
        throw new TwofoldError(
          'invalid-argument',
          `The archive's entry ${printable(entry.path)} is a whiteout that isn't marked as one.`,
        );
      return false;
    }
    addWhiteout(tree, tree.directory(path, true)!, name);
    return true;
  }
  // Other builders' bookkeeping, which nobody unpacks.
  if (path.some((part) => part.startsWith(metaPrefix))) return true;
  if (!name.startsWith(prefix)) return false;
  if (name === opaqueName) tree.directory(path, true)!.opaque = true;
  else if (!name.startsWith(metaPrefix)) {
    const hidden = name.slice(prefix.length);
    if (hidden === '' || hidden === '.' || hidden === '..')
      throw new TwofoldError(
        'invalid-argument',
        `The archive's entry ${printable(entry.path)} is a whiteout without a name.`,
      );
    addWhiteout(tree, tree.directory(path, true)!, hidden);
  }
  return true;
}

/** Deleted and made anew in the same layer, in whichever order: the new one hides the old whole. */
function addWhiteout(tree: Tree, parent: Node, name: string): void {
  const there = parent.children!.get(name);
  if (there === undefined) {
    tree.admit();
    tree.put(parent, name, makeWhiteout());
  } else if (there.kind === 'directory') {
    there.opaque = true;
  }
}
