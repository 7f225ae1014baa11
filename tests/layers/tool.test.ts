// The layer tool's verbs on real directories, as `docker cp`, `export` and `top` need them, and against trees and
// archives that mean harm.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { runLayerTool } from '../../packages/daemon/src/host/layer-tool.ts';
import { parseProcessList } from '../../packages/daemon/src/host/process-list.ts';
import { readTar } from '../../packages/daemon/src/images/tar/reader.ts';
import { archive, end, entry } from './archive.ts';
import { assertSameTree, Place, tellTree, tool } from './place.ts';
import { fillTree, makeSocket } from './rich-tree.ts';

async function names(tar: Buffer): Promise<string[]> {
  const found: string[] = [];
  for await (const { path } of readTar(Readable.from([tar]))) found.push(path.toString());
  return found;
}

const notFound = { code: 'path-not-found' };
const invalid = (message: RegExp) => ({ code: 'invalid-argument', message });

test('pack names entries as docker cp does', async () => {
  await using place = new Place();
  const root = place.directory('root');
  mkdirSync(join(root, 'dir/sub'), { recursive: true });
  writeFileSync(join(root, 'dir/file'), 'x');
  symlinkSync('/dir', join(root, 'link'));
  const pack = async (path: string) => names(await place.tool(['pack', root, path]));
  assert.deepEqual(await pack('/dir'), ['dir/', 'dir/file', 'dir/sub/']);
  assert.deepEqual(await pack('dir/'), ['dir/', 'dir/file', 'dir/sub/']);
  assert.deepEqual(await pack('/dir/.'), ['./', './file', './sub/']);
  assert.deepEqual(await pack('/dir/file'), ['file']);
  assert.deepEqual(await pack('/dir/sub/../file'), ['file']);
  assert.deepEqual(await pack('/link'), ['link']);
  assert.deepEqual(await pack('/link/'), ['link/', 'link/file', 'link/sub/']);
  assert.deepEqual(await pack('/'), ['/', '/dir/', '/dir/file', '/dir/sub/', '/link']);
  await assert.rejects(pack('/nothing'), notFound);
  await assert.rejects(pack('/dir/file/'), notFound);
});

test('what is packed and unpacked is the same, all of it', async () => {
  await using place = new Place();
  const root = place.directory('root');
  mkdirSync(join(root, 'from'));
  mkdirSync(join(root, 'to'));
  fillTree(join(root, 'from'));
  await makeSocket(join(root, 'from/socket'));
  const tar = await place.tool(['pack', root, '/from/.']);
  await place.run('rm', join(root, 'from/socket')); // tar has no word for it
  await place.tool(['unpack', root, '/to', '--no-overwrite-dir-non-dir'], tar);
  const rest = (lines: string[]) => lines.slice(1); // the directory that is unpacked into keeps its own time
  assertSameTree(rest(await tellTree(join(root, 'to'))), rest(await tellTree(join(root, 'from'))));
  // And once more over it.
  await place.tool(['unpack', root, '/to', '--no-overwrite-dir-non-dir', '--copy-uid-gid'], tar);
  assertSameTree(rest(await tellTree(join(root, 'to'))), rest(await tellTree(join(root, 'from'))));
});

test('stat tells what docker tells', async () => {
  await using place = new Place();
  const root = place.directory('root');
  mkdirSync(join(root, 'dir'), { mode: 0o755 });
  writeFileSync(join(root, 'dir/"quoted\n"'), 'xyz', { mode: 0o644 });
  symlinkSync('/../../dir', join(root, 'link'));
  symlinkSync('gone/../away', join(root, 'dir/dangling'));
  await place.run(
    'touch',
    '-h',
    '-d',
    '2001-02-03T04:05:06.120Z',
    join(root, 'link'),
    join(root, 'dir'),
    join(root, 'dir/"quoted\n"'),
  );
  await place.run('chmod', '6755', join(root, 'dir/"quoted\n"'));
  const stat = async (path: string) =>
    JSON.parse((await place.tool(['stat', root, path])).toString()) as { mode: number };
  assert.deepEqual(await stat('/dir'), {
    ...(await stat('/dir')),
    name: 'dir',
    mtime: '2001-02-03T04:05:06.12Z',
    linkTarget: '',
    mode: 0x8000_0000 + 0o755,
  });
  assert.deepEqual(await stat('/link'), {
    name: 'link',
    size: 10,
    mode: 0x0800_0000 + 0o777,
    mtime: '2001-02-03T04:05:06.12Z',
    linkTarget: '/dir',
  });
  assert.deepEqual(await stat('/link/"quoted\n"'), {
    name: '"quoted\n"',
    size: 3,
    mode: 0x0080_0000 + 0x0040_0000 + 0o755,
    mtime: '2001-02-03T04:05:06.12Z',
    linkTarget: '',
  });
  assert.equal(((await stat('/dir/dangling')) as unknown as { linkTarget: string }).linkTarget, '/dir/away');
  await assert.rejects(stat('/link/../dir/no'), notFound);
});

test('symlinks in a container never lead out of it, in whichever direction', async () => {
  await using place = new Place();
  const root = place.directory('root');
  const outside = place.directory('outside');
  writeFileSync(join(outside, 'secret'), 'secret');
  symlinkSync(outside, join(root, 'absolute'));
  symlinkSync('../outside', join(root, 'relative'));
  symlinkSync('../../../../../../etc', join(root, 'climbing'));
  for (const path of ['/absolute/secret', '/relative/secret', '/../outside/secret', '/climbing/passwd'])
    await assert.rejects(place.tool(['pack', root, path]), notFound);
  const through = archive({ path: 'relative/planted', content: 'x' });
  await assert.rejects(place.tool(['unpack', root, '/'], through));
  await assert.rejects(place.tool(['unpack', root, '/absolute'], through), notFound);
  mkdirSync(join(root, 'place'));
  // A symlink of the archive itself leads nowhere but inside: the container's /etc is made, the host's is not touched.
  await place.tool(['unpack', root, '/place'], archive({ path: 'etc', type: '2', link: '../../../etc' }));
  await assert.rejects(
    place.tool(['unpack', root, '/place'], archive({ path: 'etc/planted', content: 'x' })),
    notFound,
  );
  mkdirSync(join(root, 'etc'));
  await place.tool(
    ['unpack', root, '/place'],
    archive({ path: 'etc/planted', content: 'x' }, { path: 'hard', type: '1', link: 'etc/planted' }),
  );
  assert.equal(readFileSync(join(root, 'etc/planted'), 'utf8'), 'x');
  assert.ok(!existsSync('/etc/planted'));
  assert.deepEqual(readdirSync(outside), ['secret']);
});

test('archives that climb, lie or are broken are refused', async () => {
  await using place = new Place();
  const root = place.directory('root/dir');
  const unpack = async (tar: Buffer, ...flags: string[]) =>
    place.tool(['unpack', place.at('root'), '/dir', ...flags], tar);
  await assert.rejects(unpack(archive({ path: '../x', content: 'x' })), invalid(/leads out of the directory/));
  await assert.rejects(
    unpack(archive({ path: 'a', type: '1', link: '../../x' })),
    invalid(/leads out of the directory/),
  );
  await assert.rejects(
    unpack(archive({ path: 'a', content: 'x'.repeat(3000) }).subarray(0, 1500)),
    invalid(/ends in the middle/),
  );
  await assert.rejects(unpack(archive({ path: 'a', type: 'x', size: 2 ** 33 - 1 })), invalid(/too large/));
  await assert.rejects(unpack(archive({ path: 'a', pax: { path: 'a\0b' } })), invalid(/NUL byte/));
  for (const uid of [-1, 2 ** 32 - 1, 2 ** 40]) {
    await assert.rejects(unpack(archive({ path: 'a', uid })), invalid(/a user id is out of range/));
    await assert.rejects(unpack(archive({ path: 'a', gid: uid })), invalid(/a group id is out of range/));
  }
  await assert.rejects(
    unpack(archive({ path: 'a', pax: { 'SCHILY.xattr.trusted.overlay.opaque': 'y' }, content: 'x' })),
    invalid(/trusted\.overlay/),
  );
  await assert.rejects(
    unpack(archive({ path: 'a', pax: { 'GNU.sparse.map': '0,1', 'GNU.sparse.size': '9' }, content: 'x' })),
    { code: 'unsupported' },
  );
  await assert.rejects(unpack(Buffer.alloc(1024, 'A')), invalid(/broken/));
  await assert.rejects(unpack(archive({ path: 'a', type: '?' })), { code: 'unsupported' });
  writeFileSync(join(root, 'file'), 'x');
  mkdirSync(join(root, 'sub/below'), { recursive: true });
  await assert.rejects(
    unpack(archive({ path: 'sub', content: 'x' }), '--no-overwrite-dir-non-dir'),
    invalid(/overwrite directory "sub" with non-directory/),
  );
  await assert.rejects(
    unpack(archive({ path: 'file/', type: '5' }), '--no-overwrite-dir-non-dir'),
    invalid(/overwrite non-directory "file" with directory/),
  );
  await unpack(archive({ path: 'sub', content: 'now a file' }, { path: 'file/', type: '5' }));
  assert.ok(statSync(join(root, 'sub')).isFile() && statSync(join(root, 'file')).isDirectory());
  await assert.rejects(place.tool(['unpack', place.at('root'), '/dir/sub'], end), invalid(/not a directory/));
  await assert.rejects(place.tool(['unpack', place.at('root'), '/none'], end), notFound);
  await unpack(Buffer.alloc(0));
});

test('the owner, mode and time of unpacked directories hold, whatever is unpacked into them later', async () => {
  await using place = new Place();
  place.directory('root');
  await place.tool(
    ['unpack', place.at('root'), '/'],
    archive(
      { path: 'd/', type: '5', mode: 0o1750, uid: 7, gid: 8, mtime: 1234 },
      { path: 'd/a', content: 'x' },
      { path: 'new/parent/b', content: 'y' },
    ),
  );
  const stat = statSync(place.at('root/d'));
  assert.deepEqual([stat.mode & 0o7777, stat.uid, stat.gid, stat.mtimeMs], [0o1750, 7, 8, 1_234_000]);
  assert.equal(statSync(place.at('root/new/parent')).mode & 0o7777, 0o755);
});

test('export leaves out what is mounted over the tree', async () => {
  await using place = new Place();
  const lower = place.directory('lower');
  for (const name of ['proc', 'etc']) mkdirSync(join(lower, name));
  for (const name of ['etc/hosts', 'etc/passwd']) writeFileSync(join(lower, name), 'of the image');
  const root = await place.overlay('root', [lower], place.directory('upper'));
  await place.run('mount', '-t', 'tmpfs', 'tmpfs', join(root, 'proc'));
  writeFileSync(join(root, 'proc/hidden'), '');
  writeFileSync(place.at('hosts'), 'of the engine');
  await place.run('mount', '--bind', place.at('hosts'), join(root, 'etc/hosts'));
  try {
    const tar = await place.tool(['export', root]);
    assert.deepEqual(await names(tar), ['etc/', 'etc/hosts', 'etc/passwd', 'proc/']);
    assert.doesNotMatch(tar.toString('latin1'), /of the engine/);
  } finally {
    await place.run('umount', join(root, 'etc/hosts'), join(root, 'proc'));
  }
});

test('a layer is mounted read-only, from the file or through a loop device that goes away again', async () => {
  await using place = new Place();
  const image = await place.layer('image', archive({ path: 'a', content: 'x' }));
  const loops = async () => (await place.run('losetup', '-n', '-O', 'BACK-FILE', '-j', image.path)).trim();
  for (const flags of [[], ['--loop']] as const) {
    const directory = place.directory(`mounted${flags.length}`);
    await place.tool(['mount', image.path, directory, ...flags]);
    assert.match(readFileSync('/proc/self/mounts', 'utf8'), new RegExp(`${directory} erofs ro,nosuid,nodev`));
    assert.equal(readFileSync(join(directory, 'a'), 'utf8'), 'x');
    assert.throws(() => writeFileSync(join(directory, 'b'), ''), { code: 'EROFS' });
    await place.run('umount', directory);
    assert.equal(await loops(), '');
  }
  writeFileSync(place.at('no image'), Buffer.alloc(1 << 20));
  await assert.rejects(place.tool(['mount', place.at('no image'), place.directory('none')]), /Could not mount/);
});

test('the processes of a cgroup and those below it are listed as the kernel tells them', async () => {
  await using place = new Place();
  // The tool only reads files: a directory that looks like a cgroup does.
  const cgroup = place.directory('cgroup');
  mkdirSync(join(cgroup, 'below'));
  const child = spawn('sleep', ['120'], { stdio: 'ignore' });
  try {
    writeFileSync(join(cgroup, 'cgroup.procs'), `${process.pid}\n0\n4194303\n`);
    writeFileSync(join(cgroup, 'below/cgroup.procs'), `${child.pid!}\n`);
    const listed = parseProcessList(await place.tool(['processes', join(cgroup, 'cgroup.procs')]));
    assert.deepEqual(
      listed.map((one) => one.pid),
      [process.pid, child.pid],
    );
    assert.deepEqual(listed[1]!.cmdline, ['sleep', '120']);
    assert.match(listed[1]!.stat, new RegExp(`^${child.pid!} \\(`));
    assert.match(listed[1]!.status, /^Name:\t/);
  } finally {
    child.kill('SIGKILL');
  }
});

test('a tool that is called off ends, and an unknown verb or a lack of words is said', async () => {
  await using place = new Place();
  const root = place.directory('root');
  const controller = new AbortController();
  await using run = runLayerTool(tool, ['unpack', root, '/'], controller.signal);
  run.stdin.write(entry({ path: 'a', content: 'x' }));
  controller.abort();
  await assert.rejects(run.done, { code: 'cancelled' });
  await assert.rejects(place.tool(['fly']), invalid(/verbs are/));
  await assert.rejects(place.tool(['pack', root]), invalid(/takes ROOT/));
  await assert.rejects(place.tool(['pack', place.at('none'), '/']), notFound);
});

test('what a verb has said is there for whoever reads it after its end', async () => {
  await using place = new Place();
  mkdirSync(place.at('upper/new'), { recursive: true });
  mkdirSync(place.at('lower'));
  await using run = runLayerTool(tool, ['changes', place.at('upper'), place.at('lower')], AbortSignal.timeout(60_000));
  run.stdin.end();
  await run.done;
  assert.equal((await buffer(run.stdout)).toString('latin1'), 'A /new\0');
});
