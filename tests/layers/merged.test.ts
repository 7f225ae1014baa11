// Several sealed layers of one container, made one: above the image it must look as they did together.

import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { archive } from './archive.ts';
import { assertSameTree, Place, tellTree } from './place.ts';

const image = archive(
  ...['a/b/c', 'a/b/d', 'a/e', 'f/g/h', 'f/i', 'j', 'k/l'].map((path) => ({
    path,
    content: `${path} of the image`,
    mtime: 1_000_000_000,
  })),
);

/** A repeatable sequence of numbers below `limit`. */
function numbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >> 8) % limit;
  };
}

function directories(root: string, below = ''): string[] {
  return readdirSync(join(root, below), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => [join(below, entry.name), ...directories(root, join(below, entry.name))]);
}

/** Some work on a tree: files and directories made, deleted, replaced by each other, moved, changed. */
function work(root: string, random: (limit: number) => number, round: number): void {
  const names = ['a', 'b', 'c', 'e', 'f', 'g', 'j', 'k', 'n'];
  for (let step = 0; step < 12; step++) {
    const parents = ['', ...directories(root)];
    const path = join(root, parents[random(parents.length)]!, names[random(names.length)]!);
    const kind = !existsSync(path) ? 'none' : lstatSync(path).isDirectory() ? 'directory' : 'file';
    switch (random(6)) {
      case 0:
      case 1:
        if (kind === 'none') writeFileSync(path, `round ${round} step ${step}`);
        else rmSync(path, { recursive: true });
        break;
      case 2:
        if (kind !== 'none') rmSync(path, { recursive: true });
        mkdirSync(path);
        writeFileSync(join(path, 'n'), `in a new directory, round ${round}`);
        break;
      case 3:
        if (kind === 'directory') rmSync(path, { recursive: true });
        writeFileSync(path, `replaced in round ${round}`);
        break;
      case 4:
        if (kind !== 'none') chmodSync(path, 0o700 + random(0o100));
        break;
      case 5:
        if (kind === 'file') renameSync(path, `${path}.moved`);
        break;
    }
  }
}

for (const seed of [1, 2, 3, 4]) {
  test(`layers that lie upon each other look the same as one (${seed})`, async () => {
    await using place = new Place();
    const random = numbers(seed);
    const base = await place.mounted('base', (await place.layer('base', image)).path);
    const sealed: string[] = [];
    for (let round = 0; round < 5; round++) {
      const upper = place.directory(`upper${round}`);
      chmodSync(upper, 0o755);
      const merged = await place.overlay(`merged${round}`, [...sealed, base], upper);
      work(merged, random, round);
      await place.unmount(merged);
      sealed.unshift(
        await place.mounted(
          `sealed${round}`,
          (
            await place.layer(`sealed${round}`, await place.tool(['diff', upper, '--form', 'private']), {
              form: 'private',
            })
          ).path,
        ),
      );
    }
    // Inode numbers of several file systems may be the same by chance.
    const tell = (root: string) => tellTree(root, { links: false });
    const before = await tell(await place.overlay('before', [...sealed, base]));
    const one = await place.layer('one', await place.tool(['diff', ...sealed, '--over', base, '--form', 'private']), {
      form: 'private',
    });
    assertSameTree(await tell(await place.overlay('after', [await place.mounted('one', one.path), base])), before);
  });
}
