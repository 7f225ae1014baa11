// Owns lists of changed paths: reading them as the layer tool writes them, and joining those of layers that lie upon
// each other. Pure.

import { TwofoldError } from '@twofold/contract';

export interface Change {
  readonly path: string;
  readonly kind: 'modified' | 'added' | 'deleted';
}

const kinds: Readonly<Record<string, Change['kind']>> = { A: 'added', C: 'modified', D: 'deleted' };
const letters: Readonly<Record<Change['kind'], string>> = { added: 'A', modified: 'C', deleted: 'D' };

/** As many as a layer has entries at most: a guest may tell changes without end. */
const mostChanges = 2_000_000;

/** NUL-terminated `A /path`, `C /path`, `D /path`. */
export function parseChanges(bytes: Buffer): Change[] {
  const changes: Change[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(0, at);
    const kind = kinds[String.fromCharCode(bytes[at]!)];
    if (end < at + 3 || kind === undefined || bytes[at + 1] !== 0x20 || bytes[at + 2] !== 0x2f)
      throw new TwofoldError('protocol', 'The list of changes cannot be read.');
    if (changes.length === mostChanges)
      throw new TwofoldError('unsupported', `More than ${mostChanges} files have changed.`);
    changes.push({ path: bytes.toString('utf8', at + 2, end), kind });
    at = end + 1;
  }
  return changes;
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
  return layers.map(inOrder).reduce<Change[]>(mergeTwo, []);
}

/** Both in order, so once along both is enough, whatever was deleted. */
function mergeTwo(below: readonly Change[], above: readonly Change[]): Change[] {
  const merged: Change[] = [];
  let gone: string | null = null; // the start of all paths below what was deleted last
  let next = 0;
  const isGone = (path: string): boolean => gone !== null && path.startsWith(gone);
  const takeUpTo = (path: string | null): void => {
    for (; next < below.length && (path === null || comparePaths(below[next]!.path, path) < 0); next++)
      if (!isGone(below[next]!.path)) merged.push(below[next]!);
  };
  for (const { path, kind } of above) {
    takeUpTo(path);
    const known = below[next]?.path === path ? below[next++]! : null;
    const before = known === null || isGone(path) ? null : known.kind;
    if (kind === 'deleted') gone = `${path}/`;
    const together = combine(before, kind);
    if (together !== null) merged.push({ path, kind: together });
  }
  takeUpTo(null);
  return merged;
}

function combine(before: Change['kind'] | null, kind: Change['kind']): Change['kind'] | null {
  if (kind === 'deleted') return before === 'added' ? null : 'deleted';
  if (kind === 'added') return before === 'deleted' ? 'modified' : 'added';
  return before === 'added' ? 'added' : 'modified';
}

/** The tool tells them in order; of a path that is told twice the last counts. */
function inOrder(changes: readonly Change[]): readonly Change[] {
  if (changes.every(({ path }, index) => index === 0 || comparePaths(changes[index - 1]!.path, path) < 0))
    return changes;
  const last = new Map(changes.map((change) => [change.path, change]));
  return [...last.values()].sort((a, b) => comparePaths(a.path, b.path));
}

// By bytes, but a directory comes before what it holds, and both before a sibling whose name goes on with a byte below
// '/'.
function comparePaths(a: string, b: string): number {
  const most = Math.min(a.length, b.length);
  let same = 0;
  while (same < most && a.charCodeAt(same) === b.charCodeAt(same)) same++;
  if (same === most) return a.length - b.length;
  const [left, right] = [a.codePointAt(same)!, b.codePointAt(same)!];
  // Both in the middle of a pair begin their code points one earlier, which are then equal in their first half: UTF-8
  // sorts these as their second halves.
  return (left === 0x2f ? 0 : left) - (right === 0x2f ? 0 : right);
}
