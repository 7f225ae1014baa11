// A power cut: what clients were told of is there afterwards. The data root is on a disk whose file is copied at the
// moment of the cut; another daemon takes up the copy.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { command } from '../support/command.ts';
import { TestDaemon } from '../support/daemon.ts';
import { copyDisk, makeDisk, mountDisk } from '../support/loop-disk.ts';

const IMAGE = 'nanoserver';
const daemon = new TestDaemon();
const disk = join(daemon.directory, 'disk');

before(async () => {
  await makeDisk(disk, daemon.dataRoot, 900 << 20);
  await daemon.start();
});
after(() => daemon[Symbol.asyncDispose]());

test('images, names, switches, changes and removals that clients were told of outlive a power cut', async () => {
  const steps: string[][] = [
    ['create', '--name', 'removed', IMAGE],
    ['create', '--name', 'before', IMAGE],
    ['create', '--name', 'limited', IMAGE],
    ['import', '-', 'imported:v1'],
    ['tag', IMAGE, 'named:v1'],
    ['network', 'create', 'backbone'],
    ['rename', 'before', 'renamed'],
    ['rm', 'removed'],
  ];
  const { bytes } = await command('tar', ['-C', '/etc', '-c', 'hostname']);
  for (const words of steps) await daemon.ok(words, words[0] === 'import' ? { input: bytes } : {});
  const last = await daemon.ok(['update', '--memory', '64m', '--memory-swap', '64m', 'limited']);
  assert.equal(last, 'limited');
  const cut = join(daemon.directory, 'cut');
  await copyDisk(disk, cut);
  await daemon.kill();

  await using next = new TestDaemon();
  await mountDisk(cut, next.dataRoot);
  await next.start();
  const list = async (...words: string[]) => (await next.ok(words)).split('\n').toSorted();
  assert.deepEqual(await list('ps', '--all', '--format', '{{.Names}}'), ['limited', 'renamed']);
  assert.equal(await next.ok(['inspect', '--format', '{{.HostConfig.Memory}}', 'limited']), String(64 << 20));
  const images = await list('images', '--format', '{{.Repository}}:{{.Tag}}');
  for (const name of ['imported:v1', 'named:v1']) assert.ok(images.includes(name), images.join());
  assert.ok((await list('network', 'ls', '--format', '{{.Name}}')).includes('backbone'));
  assert.equal(await next.ok(['start', '--attach', 'renamed']), '');
  assert.equal(await next.ok(['run', '--rm', 'named:v1', 'echo', 'whole']), 'whole');
});
