// Owns lists of changed paths: reading them as the layer tool writes them, and joining those of layers that lie upon
// each other. Pure.

import { TwofoldError } from '@twofold/contract';

export interface Change {
  readonly path: string;
  readonly kind: 'modified' | 'added' | 'deleted';
}

const kinds: Readonly<Record<string, Change['kind']>> = { A: 'added', C: 'modified', D: 'deleted' };
const letters: Readonly<Record<Change['kind'], string>> = { added: 'A', modified: 'C', deleted: 'D' };

/** NUL-terminated `A /path`, `C /path`, `D /path`. */
export function parseChanges(bytes: Buffer): Change[] {
  return bytes
    .toString('utf8')
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => {
      const kind = kinds[line[0]!];
      if (kind === undefined || line[1] !== ' ' || line[2] !== '/')
        throw new TwofoldError('protocol', 'The list of changes cannot be read.');
      return { path: line.slice(2), kind };
    });
}

/** The form that parseChanges reads. */
export function formatChanges(changes: readonly Change[]): Buffer {
  return Buffer.from(changes.map(({ path, kind }) => `${letters[kind]} ${path}\0`).join(''), 'utf8');
}

/**
 * The changes of layers, lowest first, as one list against what lies below them all, in order of paths. A directory
 * that one layer deleted and a later one made again reads as modified; what it held before is not told by itself.
 */
export function mergeChanges(layers: readonly (readonly Change[])[]): Change[] {
  if (layers.length === 1) return [...layers[0]!];
  const merged = new Map<string, Change['kind']>();
  for (const layer of layers) {
    for (const { path, kind } of layer) {
      const before = merged.get(path);
      if (kind === 'deleted') {
        forgetBelow(merged, path);
        if (before === 'added') merged.delete(path);
        else merged.set(path, 'deleted');
      } else if (kind === 'added') merged.set(path, before === 'deleted' ? 'modified' : 'added');
      else merged.set(path, before === 'added' ? 'added' : 'modified');
    }
  }
  return [...merged]
    .map(([path, kind]) => ({ path, kind }))
    .sort((a, b) => Buffer.compare(pathKey(a.path), pathKey(b.path)));
}

function forgetBelow(merged: Map<string, Change['kind']>, path: string): void {
  const prefix = `${path}/`;
  for (const known of merged.keys()) if (known.startsWith(prefix)) merged.delete(known);
}

// A directory comes before what it holds, and both before a sibling whose name goes on with a byte below '/'.
function pathKey(path: string): Buffer {
  return Buffer.from(path.replaceAll('/', '\0'), 'utf8');
}
