import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTwofoldError } from '@twofold/contract';
import { formatChanges, mergeChanges, parseChanges, type Change } from './changes.ts';

const paths = ['/a', '/a/b', '/a/b/c', '/a/d', '/e', '/e/f'];

/** Files and directories as a set of paths; a layer's changes are told as the layer tool tells them. */
function changesBetween(
  before: ReadonlySet<string>,
  after: ReadonlySet<string>,
  touched: ReadonlySet<string>,
): Change[] {
  const changes: Change[] = [];
  for (const path of paths) {
    const gone = before.has(path) && !after.has(path);
    // A directory that is gone is told once, without what it held.
    const parent = path.slice(0, path.lastIndexOf('/'));
    if (gone && (parent === '' || after.has(parent) || !before.has(parent))) changes.push({ path, kind: 'deleted' });
    else if (!before.has(path) && after.has(path)) changes.push({ path, kind: 'added' });
    else if (before.has(path) && after.has(path) && touched.has(path)) changes.push({ path, kind: 'modified' });
  }
  return changes;
}

/** Only trees: a path is there only if its parent is. */
const tree = fc.subarray(paths).map(
  (chosen) =>
    new Set(
      chosen.filter((path) => {
        const parents = path
          .split('/')
          .slice(1, -1)
          .map((_, depth, parts) => `/${parts.slice(0, depth + 1).join('/')}`);
        return parents.every((parent) => chosen.includes(parent));
      }),
    ),
);

describe('changes of several layers', () => {
  it('read as those between the lowest and the top', () => {
    fc.assert(
      fc.property(fc.array(tree, { minLength: 2, maxLength: 6 }), (states) => {
        const layers = states.slice(1).map((state, index) => changesBetween(states[index]!, state, new Set()));
        const first = states[0]!;
        const last = states.at(-1)!;
        const merged = mergeChanges(layers);
        const kindOf = new Map(merged.map(({ path, kind }) => [path, kind]));
        for (const path of paths) {
          const kind = kindOf.get(path);
          // What went with a directory is not told by itself, so it counts as new when it is there again.
          const hidden = layers.some((layer) =>
            layer.some((change) => change.kind === 'deleted' && path.startsWith(`${change.path}/`)),
          );
          if (!first.has(path) && last.has(path)) assert.equal(kind, 'added', path);
          else if (first.has(path) && !last.has(path)) assert.ok(kind === 'deleted' || hidden, path);
          else if (!last.has(path)) assert.equal(kind, undefined, path);
          else assert.ok(kind === undefined || kind === 'modified' || hidden, path);
        }
      }),
    );
  });

  it('come in the order of paths, a directory before what it holds', () => {
    const merged = mergeChanges([
      [
        { path: '/a-b', kind: 'added' },
        { path: '/a', kind: 'modified' },
      ],
      [{ path: '/a/c', kind: 'added' }],
    ]);
    assert.deepEqual(
      merged.map(({ path }) => path),
      ['/a', '/a/c', '/a-b'],
    );
  });

  it('are merged in a time that grows as they do', () => {
    const names = Array.from({ length: 100_000 }, (_, index) => `/d/${String(index).padStart(6, '0')}`);
    const added = names.map((path): Change => ({ path, kind: 'added' }));
    const deleted = names.map((path): Change => ({ path, kind: 'deleted' }));
    assert.deepEqual(mergeChanges([added, deleted]), []);
    assert.equal(mergeChanges([deleted, added]).filter(({ kind }) => kind === 'modified').length, names.length);
  });

  it('are in the order of bytes, whatever the names are', () => {
    const names = fc.stringMatching(/^[!./aé\ufffd𝄞𝄢]{1,4}$/u).map((name) => `/${name}`);
    fc.assert(
      fc.property(fc.uniqueArray(names, { maxLength: 12 }), (shuffled) => {
        const merged = mergeChanges([shuffled.map((path): Change => ({ path, kind: 'added' }))]);
        const key = (path: string) => Buffer.from(path.replaceAll('/', '\0'));
        assert.deepEqual(
          merged.map(({ path }) => path),
          shuffled.toSorted((left, right) => Buffer.compare(key(left), key(right))),
        );
      }),
    );
  });

  it('are no more than a layer can have', () => {
    const one = Buffer.from('A /a\0');
    assert.throws(
      () => parseChanges(Buffer.alloc(2_000_001 * one.length, one)),
      (error) => isTwofoldError(error, 'unsupported'),
    );
  });

  it('are read as they are written, and nonsense is refused', () => {
    const changes: Change[] = [
      { path: '/with\nnewline', kind: 'added' },
      { path: '/b', kind: 'deleted' },
      { path: '/c d', kind: 'modified' },
    ];
    assert.deepEqual(parseChanges(formatChanges(changes)), changes);
    for (const text of ['X /a\0', 'A a\0', 'A', 'A /a'])
      assert.throws(
        () => parseChanges(Buffer.from(text)),
        (error) => isTwofoldError(error, 'protocol'),
      );
  });
});
