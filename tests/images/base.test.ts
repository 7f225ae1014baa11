// The built-in base images as set-up built them: loaded into a store, mounted, and run.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Image } from '@twofold/daemon/images/images.ts';
import { command, type CommandResult } from '../support/command.ts';
import { libRoot } from '../support/library.ts';
import { signal, Store } from './store.ts';

let store: Store;
before(async () => {
  store = new Store({ libRoot });
  await store.images.ensureBaseImages(signal);
});
after(() => store[Symbol.dispose]());

/**
 * Runs the image's entry point with `words` as process 1 of namespaces of its own; the layers are mounted there and
 * nowhere else.
 */
async function run(image: Image, words: readonly string[], input = ''): Promise<CommandResult> {
  const layers = store.images.layers(image.id).map(({ path, name }) => ({ path, at: join(store.root, name) }));
  const root = join(store.root, 'root');
  for (const directory of [root, ...layers.map(({ at }) => at)]) mkdirSync(directory, { recursive: true });
  const script = `set -e; tool=$1; root=$2; lower=$3; shift 3
    while [ "$1" != -- ]; do "$tool" mount "$1" "$2"; shift 2; done; shift
    case $lower in *:*) mount -t overlay overlay -o "lowerdir=$lower" "$root";; *) mount --bind "$lower" "$root";; esac
    mount -t proc proc "$root/proc"
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin A=b chroot "$root" "$@"`;
  return await command(
    'unshare',
    [
      '--mount',
      '--pid',
      '--fork',
      '--propagation',
      'private',
      'sh',
      '-c',
      script,
      'sh',
      join(libRoot, 'bin', 'twofold-layer'),
      root,
      layers.map(({ at }) => at).join(':'),
      ...layers.flatMap(({ path, at }) => [path, at]),
      '--',
      ...image.config.Entrypoint!,
      ...words,
    ],
    { input },
  );
}

for (const name of ['NanoServer', 'WindowsServerCore']) {
  test(`${name} says that it is a stand-in`, () => {
    const image = store.images.find(name);
    assert.match(image.config.Labels!['org.opencontainers.image.description']!, /Linux stand-in .* nothing of Windows/);
    assert.deepEqual(image.config.Cmd, ['cmd']);
  });

  test(`${name} runs a command under csrss, as process 1`, async () => {
    const image = store.images.find(name);
    const seen = await run(image, ['sh', '-c', 'cat /proc/1/comm; test -n "$(ps)" && echo ps; exit 5']);
    assert.deepEqual([seen.stdout, seen.code], ['csrss\nps\n', 5], seen.stderr);
    const killed = await run(image, ['sh', '-c', 'kill -9 $$']);
    assert.equal(killed.code, 137);
  });

  test(`${name} tells a missing command from one that can't be executed`, async () => {
    const image = store.images.find(name);
    const missing = await run(image, ['nosuch']);
    assert.deepEqual([missing.stderr, missing.code], ['exec: "nosuch": executable file not found in $PATH\n', 127]);
    const denied = await run(image, ['/etc/passwd']);
    assert.deepEqual([denied.stderr, denied.code], ['exec: "/etc/passwd": permission denied\n', 126]);
  });

  test(`${name} has a command prompt`, async () => {
    const image = store.images.find(name);
    const seen = await run(
      image,
      ['cmd'],
      'cd \\usr\ncd\necho %A% %NO% & nosuch || echo "not there"\ndir /b \\usr | sort | head -n 1\nset B=c d\nset b\nexit 7\n',
    );
    assert.deepEqual([seen.stdout, seen.code], ['/usr\nb %NO% \n"not there"\nbin\nB=c d\n', 7], seen.stderr);
    assert.equal((await run(image, ['cmd', '/c', 'exit 3'])).code, 3);
    assert.match((await run(image, ['cmd', '/c', 'ver'])).stdout, /stand-in for cmd\.exe \[Linux /);
  });
}
