// A container's writable layer, carried through both forms: what the overlay shows must be the same afterwards.

import assert from 'node:assert/strict';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  appendFileSync,
  lchownSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { archive } from './archive.ts';
import { assertSameTree, Place, tellTree } from './place.ts';
import { fillTree, makeSocket, writeSparse } from './rich-tree.ts';

/** What a container might do to its files. `base` is what the image has. */
function work(root: string): void {
  const at = (name: string) => join(root, name);
  rmSync(at('gone'));
  rmSync(at('directory gone'), { recursive: true });
  rmSync(at('made anew'), { recursive: true });
  mkdirSync(at('made anew'));
  writeFileSync(at('made anew/new'), 'new');
  rmSync(at('now a file'), { recursive: true });
  writeFileSync(at('now a file'), 'file');
  rmSync(at('now a directory'));
  mkdirSync(at('now a directory'));
  appendFileSync(at('changed/file'), 'more');
  rmSync(at('changed/old'));
  chmodSync(at('mode/file'), 0o4711);
  lchownSync(at('owner'), 123_456, 7);
  renameSync(at('moved/here'), at('moved/there'));
  symlinkSync('gone', at('link'));
  linkSync(at('changed/file'), at('hard link'));
  writeSparse(at('sparse'), 20 << 20, [10 << 20]);
  mkdirSync(at('filled'));
  fillTree(at('filled'));
  // Image /etc was read-only metadata; only its time changes.
  utimesSync(at('mode'), 1.25, 987_654_321.5);
}

const image = archive(
  ...[
    'gone',
    'directory gone/a',
    'directory gone/b/c',
    'made anew/old',
    'now a file/old',
    'now a directory',
    'changed/file',
    'changed/old',
    'changed/kept',
    'mode/file',
    'owner',
    'moved/here',
    'untouched/file',
  ].map((path) => ({ path, content: `${path} of the image`, mtime: 1_000_000_000 })),
);

async function worked(place: Place) {
  const base = await place.mounted('base', (await place.layer('base', image)).path);
  const upper = place.directory('upper');
  chmodSync(upper, 0o755);
  const merged = await place.overlay('merged', [base], upper);
  work(merged);
  return { base, upper, merged };
}

test('the private form loses nothing, to and fro', async () => {
  await using place = new Place();
  const { base, upper, merged } = await worked(place);
  await makeSocket(join(merged, 'socket'));
  writeFileSync(join(merged, '.wh.a name like a mark'), 'kept');
  await place.run('setfattr', '-n', 'user.a=b%', '-v', '1', join(merged, 'untouched'));
  await place.run('setfattr', '-n', 'trusted.mine', '-v', '1', join(merged, 'untouched'));
  const before = await tellTree(merged, { links: false });
  const links = await tellTree(upper);
  const diff = await place.tool(['diff', upper, '--form', 'private']);
  const sealed = await place.layer('sealed', diff, { form: 'private' });
  const layer = await place.mounted('sealed', sealed.path);
  assertSameTree(await tellTree(await place.overlay('sealed view', [layer, base]), { links: false }), before);
  // In the layer itself hard links are what they were; whiteouts, which the overlay links to one another, aside.
  const plain = (lines: string[]) =>
    lines.filter((line) => !line.includes(' | 2 | 0 | 0:0 | ') && !line.includes('user.overlay'));
  assertSameTree(plain(await tellTree(layer)), plain(links));
  assert.match(
    await place.run('getfattr', '-d', '-m', '-', '--absolute-names', join(layer, 'untouched')),
    /trusted\.mine="1"\nuser\.a\\075b%="1"/,
  ); // getfattr's way to write "="
  // Once more, from the other side: nothing has crept in.
  const again = await place.overlay('again', [layer, base], place.directory('upper2'));
  work2(again);
  const second = await place.layer('second', await place.tool(['diff', place.at('upper2'), '--form', 'private']), {
    form: 'private',
  });
  const told = await tellTree(again, { links: false });
  const third = await place.overlay('third', [await place.mounted('second', second.path), layer, base]);
  assertSameTree(await tellTree(third, { links: false }), told);
});

function work2(root: string): void {
  rmSync(join(root, 'now a directory'), { recursive: true });
  rmSync(join(root, 'made anew/new'));
  rmSync(join(root, 'filled/many'), { recursive: true });
  mkdirSync(join(root, 'gone'));
  writeFileSync(join(root, 'changed/old'), 'back again');
}

test('the OCI form carries all that other engines can read', async () => {
  await using place = new Place();
  const { base, upper, merged } = await worked(place);
  const before = await tellTree(merged, { links: false });
  await makeSocket(join(merged, 'socket'));
  writeFileSync(join(merged, '.wh.a name like a mark'), 'left out');
  const diff = await place.tool(['diff', upper, '--form', 'oci']);
  const layer = await place.mounted('committed', (await place.layer('committed', diff)).path);
  const again = await place.overlay('again', [layer, base]);
  // The two left out have changed the root's time.
  const rest = (lines: string[]) => lines.slice(1);
  assertSameTree(rest(await tellTree(again, { links: false })), rest(before));
});

test('an unmarked whiteout is refused in the private form, and so is an end that is missing', async () => {
  await using place = new Place();
  await assert.rejects(place.layer('bad', archive({ path: 'x', type: '3' }), { form: 'private' }), {
    code: 'invalid-argument',
    message: /isn't marked/,
  });
  const whole = archive({ path: 'x', content: 'y' });
  await assert.rejects(place.layer('bad', whole.subarray(0, 1024), { form: 'private' }), {
    code: 'invalid-argument',
    message: /ends too soon/,
  });
  assert.deepEqual(readdirSync(place.path), []);
});

test('changes are told as docker diff tells them', async () => {
  await using place = new Place();
  const { base, upper } = await worked(place);
  const told = (await place.tool(['changes', upper, base]))
    .toString()
    .split('\0')
    .filter((line) => line !== '' && !line.includes('/filled/'));
  assert.deepEqual(told, [
    'C /changed',
    'C /changed/file',
    'D /changed/old',
    'D /directory gone',
    'A /filled',
    'D /gone',
    'A /hard link',
    'A /link',
    'C /made anew',
    'D /made anew/old',
    'A /made anew/new',
    'C /mode',
    'C /mode/file',
    'C /moved',
    'D /moved/here',
    'A /moved/there',
    'C /now a directory',
    'C /now a file',
    'C /owner',
    'A /sparse',
  ]);
});
