// A disk that fills up under a daemon: logs stop before it is full, and on a full one containers end and are removed,
// which is what makes room again.

import assert from 'node:assert/strict';
import { rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { command } from '../support/command.ts';
import { TestDaemon } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';
import { makeDisk } from '../support/loop-disk.ts';
import { until } from '../support/until.ts';

const IMAGE = 'nanoserver';
const mebibyte = 1 << 20;
const minimumFree = 64 * mebibyte;

const daemon = new TestDaemon(['--minimum-free', String(minimumFree), '--log-opt', 'max-size=1g']);
const free = () => {
  const { bavail, bsize } = statfsSync(daemon.dataRoot);
  return bavail * bsize;
};
const inspect = (name: string, field: string) => daemon.ok(['inspect', '--format', `{{${field}}}`, name]);

before(async () => {
  await makeDisk(join(daemon.directory, 'disk'), daemon.dataRoot, 640 * mebibyte);
  await daemon.start();
});
after(() => daemon[Symbol.asyncDispose]());

test('the logs of containers that flood stop before the disk is full, and `docker info` tells the limits', async () => {
  const run = (isolation: string, name: string, ...words: string[]) =>
    daemon.ok(['run', '--detach', `--isolation=${isolation}`, '--name', `${name}-${isolation}`, ...words]);
  for (const isolation of isolations) {
    for (const name of ['killed', 'stopped', 'removed'])
      await run(isolation, name, '--restart=unless-stopped', IMAGE, 'sleep', '3600');
    await run(
      isolation,
      'floods',
      IMAGE,
      'sh',
      '-c',
      `until [ -e /go ]; do usleep 50000; done; yes ${'x'.repeat(1000)}`,
    );
  }
  for (const isolation of isolations) await daemon.ok(['exec', `floods-${isolation}`, 'touch', '/go']);
  await until('the logs stand still', () => free() < minimumFree, { timeoutMs: 120_000 });
  // A last piece of each, and what the daemon itself writes.
  assert.ok(free() > minimumFree - 16 * mebibyte, `${free()} bytes are free`);
  assert.match(await daemon.ok(['info']), /Log of a container: at most 5 files of 1024 MiB/);
  const refused = await daemon.docker(['run', '--rm', IMAGE, 'true']);
  assert.match(refused.stderr, /Only \d+ MiB are free in .* with at least 64 MiB/);
});

test('on a full disk kill, stop and rm -f end what they are to end, and the exit is told', async () => {
  const filler = join(daemon.dataRoot, 'filler');
  rmSync(join(daemon.dataRoot, 'reserve')); // as when somebody was faster than the daemon to take what it gave up
  await command('dd', ['if=/dev/zero', `of=${filler}`, 'bs=64k']);
  await command('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1', 'count=4096', 'oflag=append', 'conv=notrunc']);
  assert.ok(free() < 64 << 10, `${free()} bytes are free`);
  for (const isolation of isolations) {
    const waiting = daemon.ok(['wait', `killed-${isolation}`]);
    assert.equal(await daemon.ok(['kill', `killed-${isolation}`]), `killed-${isolation}`);
    assert.equal(await waiting, '137');
    assert.equal(await inspect(`killed-${isolation}`, '.State.Status'), 'exited');
    assert.equal(await daemon.ok(['stop', '-t', '1', `stopped-${isolation}`]), `stopped-${isolation}`);
    assert.equal(await inspect(`stopped-${isolation}`, '.State.Status'), 'exited');
    assert.equal(await daemon.ok(['rm', '--force', `removed-${isolation}`]), `removed-${isolation}`);
  }
  // The daemon comes up on a full disk, and knows what it could write down.
  await daemon.kill();
  await daemon.start();
  for (const isolation of isolations) {
    assert.equal(await inspect(`killed-${isolation}`, '.State.ExitCode'), '137');
    assert.equal(await inspect(`floods-${isolation}`, '.State.Running'), 'true');
    await daemon.ok(['rm', '--force', `floods-${isolation}`]);
  }
  assert.ok(free() > minimumFree, `${free()} bytes are free`);
  assert.equal(await daemon.ok(['run', '--rm', IMAGE, 'echo', 'room again']), 'room again');
});
