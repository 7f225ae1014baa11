// How layers lie upon each other as it shows in containers: images that have the same layer in several places, and
// containers that wrote nothing. Both isolations; the expected values are what Docker's own daemon gives.

import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { ImageConfig } from '@twofold/contract';
import { Twofold } from '@twofold/sdk';
import { dockerArchive, imageConfig, tar } from '../images/store.ts';
import { command } from '../support/command.ts';
import { startDaemon, type TestDaemon } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';
import { until } from '../support/until.ts';

const patient = { timeoutMs: 240_000 };
const limit = { timeout: 600_000 };

/** A system without /etc, /proc, /sys and /dev. */
const system = tar([
  { path: 'bin/', kind: 'directory', mode: 0o755 },
  { path: 'bin/busybox', mode: 0o755, content: readFileSync('/bin/busybox') },
  ...['sh', 'find', 'sort', 'cat', 'echo', 'true', 'touch'].map((name) => ({
    path: `bin/${name}`,
    kind: 'symlink' as const,
    link: 'busybox',
  })),
  ...['d/', 'd/sub/', 'o/'].map((path) => ({ path, kind: 'directory' as const, mode: 0o755 })),
  { path: 'd/base', content: 'base' },
  { path: 'd/sub/base', content: 'base' },
  { path: 'o/base', content: 'base' },
]);
/** Deletes a name, hides a directory's content, has a file where the other has a directory. */
const first = tar([
  { path: 'd/', kind: 'directory', mode: 0o750 },
  { path: 'd/first', content: 'first' },
  { path: 'd/.wh.base' },
  { path: 'o/', kind: 'directory', mode: 0o755 },
  { path: 'o/.wh..wh..opq' },
  { path: 'o/first', content: 'first' },
  { path: 'f', content: 'a file' },
]);
const second = tar([
  { path: 'd/', kind: 'directory', mode: 0o711 },
  { path: 'd/base', content: 'second' },
  { path: 'd/.wh.first' },
  { path: 'o/', kind: 'directory', mode: 0o755 },
  { path: 'o/base', content: 'second' },
  { path: 'f/', kind: 'directory', mode: 0o755 },
  { path: 'f/x', content: 'in a directory' },
]);
const empty = tar([]);
const stacks = {
  'first-on-top': {
    layers: [system, empty, first, second, empty, first, empty],
    shows: ['/d', '/d/first', '/d/sub', '/d/sub/base', '/f', '/o', '/o/first'],
    mode: 'drwxr-x---',
  },
  'second-on-top': {
    layers: [system, second, first, empty, first, second, second],
    shows: ['/d', '/d/base', '/d/sub', '/d/sub/base', '/f', '/f/x', '/o', '/o/base', '/o/first'],
    mode: 'drwx--x--x',
  },
};

let daemon: TestDaemon;
before(async () => {
  daemon = await startDaemon();
  for (const [name, { layers }] of Object.entries(stacks))
    await daemon.ok(['load'], { input: dockerArchive([`${name}:latest`], layers) });
});
after(() => daemon[Symbol.asyncDispose]());

const ok = (...words: string[]) => daemon.ok(words, patient);

/** Paths below /d, /f and /o in a tar of a root file system, and the mode of /d. */
async function seen(archive: Buffer): Promise<{ shows: string[]; mode: string }> {
  const { stdout } = await command('tar', ['-tvf', '-'], { input: archive });
  const lines = stdout
    .split('\n')
    .map((line) => [line.split(/ +/)[0]!, `/${line.split(/ +/)[5]}`.replace(/\/$/, '')] as const);
  const found = lines.filter(([, path]) => /^\/[dfo](?:\/|$)/.test(path));
  return { shows: found.map(([, path]) => path).toSorted(), mode: found.find(([, path]) => path === '/d')![0] };
}

for (const isolation of isolations) {
  test(`${isolation}: an image with the same layers several times shows what Docker shows`, limit, async () => {
    await using sdk = new Twofold({ socketPath: daemon.socket });
    // A VM has the one that says more.
    for (const [image, { layers, shows, mode }] of Object.entries(stacks).slice(isolation === 'hyperv' ? 1 : 0)) {
      const name = `${image}-${isolation}`;
      await ok('create', '--name', name, `--isolation=${isolation}`, image, 'sh', '-c', 'find /d /f /o | sort');
      assert.deepEqual((await ok('start', '--attach', name)).split('\n'), shows, image);
      assert.deepEqual(await seen((await daemon.docker(['export', name], patient)).bytes), { shows, mode });
      assert.match((await daemon.docker(['cp', `${name}:/d/sub`, '-'], patient)).bytes.toString('latin1'), /sub\/base/);
      await daemon.ok(['cp', '-', `${name}:/d`], { input: tar([{ path: 'copied', content: 'x' }]), ...patient });
      assert.equal(await ok('diff', name), 'C /d\nA /d/copied');
      await ok('commit', name, `committed-${name}`);
      const other = isolations.find((one) => one !== isolation)!;
      await sdk.containers.convert(name, other);
      assert.equal(await ok('diff', name), 'C /d\nA /d/copied');
      // With the container's layer twice, and everything else as often as before.
      await ok('commit', name, `again-${name}`);
      await daemon.ok(['load'], { input: (await daemon.docker(['save', `committed-${name}`], patient)).bytes });
      for (const made of [`committed-${name}`, `again-${name}`]) {
        const { RootFS } = await sdk.images.inspect(made);
        assert.equal(RootFS.Layers!.length, layers.length + 1, made);
        const listed = await ok('run', '--rm', `--isolation=${isolation}`, made, 'sh', '-c', 'find /d /f /o | sort');
        assert.deepEqual(listed.split('\n'), [...shows, '/d/copied'].toSorted(), made);
      }
    }
  });
}

test('sizes are those of the files, as Docker counts them', limit, async () => {
  await using sdk = new Twofold({ socketPath: daemon.socket });
  const ofSystem = statSync('/bin/busybox').size + 7 * 'busybox'.length + 3 * 'base'.length;
  const ofFirst = 2 * 'first'.length + 'a file'.length;
  const image = await sdk.images.inspect('first-on-top');
  const ofSecond = 2 * 'second'.length + 'in a directory'.length;
  assert.equal(image.Size, ofSystem + 2 * ofFirst + ofSecond);
  await ok('commit', await ok('create', 'first-on-top'), 'kept-first:1');
  assert.equal((await sdk.images.inspect('kept-first:1')).Size, image.Size);
  for (const isolation of isolations) {
    const name = `sized-${isolation}`;
    const sizes = async () => {
      const { SizeRw, SizeRootFs } = (await sdk.containers.inspect(name, { size: true })) as {
        SizeRw?: number;
        SizeRootFs?: number;
      };
      return [SizeRw, SizeRootFs! - image.Size];
    };
    const work = 'echo hello > /d/six; ln /d/six /d/again; mkdir /d/more; busybox rm /f; echo ready; busybox sleep 600';
    await ok('create', '--name', name, `--isolation=${isolation}`, 'first-on-top', 'sh', '-c', work);
    assert.deepEqual(await sizes(), [0, 0], `${name}, created`);
    await ok('start', name);
    await until('it has written', async () => (await ok('logs', name)).includes('ready'));
    assert.deepEqual(await sizes(), [6, 6], `${name}, running`);
    await ok('stop', '--time', '0', name);
    assert.deepEqual(await sizes(), [6, 6], `${name}, stopped`);
    await sdk.containers.convert(
      name,
      isolations.find((one) => one !== isolation)!,
    );
    assert.deepEqual(await sizes(), [6, 6], `${name}, converted`);
  }
});

test('an image without layers is an empty directory, which a container can be made of', limit, async () => {
  await daemon.ok(['load'], { input: dockerArchive(['void:1'], []) });
  assert.match((await daemon.docker(['save', 'absent'])).stderr, /No such image: absent:latest/);
  for (const isolation of isolations) {
    const name = `void-${isolation}`;
    await ok('create', '--name', name, `--isolation=${isolation}`, 'void:1', '/busybox', 'echo', 'here');
    await ok('cp', '/bin/busybox', `${name}:/busybox`);
    assert.equal(await ok('start', '--attach', name), 'here');
    assert.equal(await ok('diff', name), 'A /busybox');
  }
});

test(
  'a container that wrote nothing does not differ from its image, and what it writes is alike in both isolations',
  limit,
  async () => {
    await using sdk = new Twofold({ socketPath: daemon.socket });
    const images = {
      // Without /etc and the kernel's places; with all of them; with a link to nothing where a file is put.
      bare: [system],
      whole: [
        system,
        tar([
          ...['dev/', 'etc/', 'proc/', 'sys/'].map((path) => ({ path, kind: 'directory' as const, mode: 0o751 })),
          ...['etc/hosts', 'etc/hostname', 'etc/resolv.conf'].map((path) => ({ path, content: 'the image’s\n' })),
        ]),
      ],
      odd: [
        system,
        tar([
          { path: 'etc/', kind: 'directory', mode: 0o700, uid: 5, mtime: 1_000_000_000 },
          { path: 'etc/hosts', content: 'deleted above' },
          { path: 'etc/resolv.conf', kind: 'symlink', link: '../run/systemd/resolve/stub-resolv.conf' },
        ]),
        tar([{ path: 'etc/.wh.hosts' }]),
      ],
    };
    for (const [image, layers] of Object.entries(images)) {
      const config = imageConfig(layers, {
        config: {
          Cmd: ['true'],
          Env: ['PATH=/bin'],
          OnBuild: ['RUN x'],
          Healthcheck: { Test: ['CMD', 'y'], Retries: 3 },
        },
      });
      await daemon.ok(['load'], { input: dockerArchive([`${image}:latest`], layers, { config }) });
      const told: Record<string, unknown> = {};
      for (const isolation of isolations) {
        const name = `${image}-${isolation}`;
        await ok('create', '--name', name, `--isolation=${isolation}`, image, 'sh', '-c', 'cat /etc/hostname');
        assert.equal(await ok('diff', name), '', `${name}, never started`);
        assert.match(await ok('start', '--attach', name), /^[0-9a-f]{12}$/);
        assert.equal(await ok('diff', name), '', name);
        await ok('commit', '--change', 'ONBUILD RUN z', name, `unchanged-${name}`);
        const { Config, RootFS } = await sdk.images.inspect(`unchanged-${name}`);
        assert.deepEqual(RootFS, (await sdk.images.inspect(image)).RootFS, name);
        assert.deepEqual(
          [Config.OnBuild, (Config as ImageConfig).Healthcheck],
          [['RUN x', 'RUN z'], { Test: ['CMD', 'y'], Retries: 3 }],
        );
        for (const to of image === 'bare' ? isolations.toReversed() : []) {
          await sdk.containers.convert(name, to);
          assert.match(await ok('start', '--attach', name), /^[0-9a-f]{12}$/);
        }
        assert.deepEqual((await sdk.containers.inspect(name)).Twofold.SealedLayers, [], name);

        const writer = `writer-${name}`;
        await ok('run', '--name', writer, `--isolation=${isolation}`, image, 'sh', '-c', 'echo x > /etc/mine');
        await ok('commit', writer, `written-${name}`);
        const saved = (await daemon.docker(['save', `written-${name}`], patient)).bytes;
        const { stdout: manifest } = await command('tar', ['-xOf', '-', 'manifest.json'], { input: saved });
        const [{ Layers }] = JSON.parse(manifest) as [{ Layers: string[] }];
        assert.equal(Layers.length, layers.length + 1);
        const { bytes } = await command('tar', ['-xOf', '-', Layers.at(-1)!], { input: saved });
        const listed = await command('tar', ['--numeric-owner', '-tvf', '-'], { input: bytes });
        told[isolation] = [await ok('diff', writer), listed.stdout.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d/g, 'then')];
      }
      assert.deepEqual(told['process'], told['hyperv'], image);
      assert.deepEqual(
        (told['process'] as string[])[0],
        image === 'bare' ? 'A /etc\nA /etc/mine' : 'C /etc\nA /etc/mine',
      );
      assert.equal((told['process'] as string[])[1]!.split('\n').length, 4, 'the root, the directory and the file');
    }
  },
);
