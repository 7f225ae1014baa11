// The writer's images, read by the kernel and by fsck.erofs, against what tar makes of the same archive.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  closeSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { confinement, writeLayer } from '../../packages/daemon/src/host/layer-writer.ts';
import { ErofsWriter } from '../../packages/daemon/src/images/erofs/writer.ts';
import { readTar } from '../../packages/daemon/src/images/tar/reader.ts';
import { command } from '../support/command.ts';
import { childrenOf, isAlive, processLink, processText } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { archive, entry, type Made } from './archive.ts';
import { assertSameTree, cell, Place, reader, tellTree } from './place.ts';
import { fillTree } from './rich-tree.ts';

const unpack = ['tar', '--xattrs', '--xattrs-include=*', '-p', '--numeric-owner', '-x'] as const;

for (const form of [
  ['--format=pax'],
  ['--format=pax', '--sparse', '--sparse-version=0.0'],
  ['--format=pax', '--sparse', '--sparse-version=0.1'],
  ['--format=pax', '--sparse', '--sparse-version=1.0'],
  ['--format=gnu', '--sparse'],
]) {
  test(`what tar ${form.join(' ')} packs and unpacks, the image shows too`, async () => {
    await using place = new Place();
    const from = place.directory('from');
    fillTree(from);
    const tar = place.at('layer.tar');
    const isPax = form[0] === '--format=pax';
    await place.run(
      'tar',
      ...form,
      ...(isPax ? ['--xattrs', '--xattrs-include=*'] : []),
      '--numeric-owner',
      '-C',
      from,
      '-cf',
      tar,
      '.',
    );
    const unpacked = place.directory('unpacked');
    await place.run(...unpack, '-C', unpacked, '-f', tar);
    const image = await place.layer('image', { path: tar });
    assert.equal(image.diffId, `sha256:${createHash('sha256').update(readFileSync(tar)).digest('hex')}`);
    assert.equal(image.sizeBytes % (1 << 20), 0);
    assert.equal(statSync(image.path).size, image.sizeBytes);
    const mounted = await place.mounted('image', image.path);
    assertSameTree(await tellTree(mounted), await tellTree(unpacked));
    // Holes take no room, whichever way they came.
    assert.ok(statSync(image.path).blocks * 512 < 4 << 20, `${statSync(image.path).blocks * 512} bytes on disk`);
  });
}

test('compressed or not, the same layer comes out, byte for byte', async () => {
  await using place = new Place();
  const tar = archive({ path: 'a', content: 'x'.repeat(10_000), mtime: 7 }, { path: 'b/', type: '5', mode: 0o700 });
  const plain = await place.layer('plain', tar);
  const gzip = await place.layer('gzip', gzipSync(tar));
  const zstd = await place.layer('zstd', zstdCompressSync(tar));
  assert.deepEqual([gzip.diffId, zstd.diffId], [plain.diffId, plain.diffId]);
  assert.ok(
    readFileSync(plain.path).equals(readFileSync(gzip.path)) &&
      readFileSync(plain.path).equals(readFileSync(zstd.path)),
  );
});

test('a layer without entries is an empty directory', async () => {
  await using place = new Place();
  const image = await place.layer('empty', archive());
  assert.deepEqual(readdirSync(await place.mounted('empty', image.path)), []);
});

test('directories that the archive leaves out are made, the last of several entries of a name wins, and a hard link’s own words hold for its file', async () => {
  await using place = new Place();
  const image = await place.layer(
    'image',
    archive(
      { path: 'a/b/c', content: 'first' },
      { path: './a//b/../b/c', content: 'second', mode: 0o600 },
      { path: '/absolute', content: '1' },
      { path: 'd', content: 'file' },
      { path: 'd/', type: '5', mode: 0o711 },
      { path: 'd/e', content: '2' },
      { path: 'd/', type: '5', mode: 0o750, uid: 5 },
      { path: 'usr/lib/', type: '5' },
      { path: 'lib', type: '2', link: 'usr/lib' },
      { path: 'lib/through', content: '3' },
      { path: 'up', type: '2', link: '../../../..' },
      { path: 'up/top', content: '4' },
      { path: 'x', content: '5' },
      { path: 'y', type: '1', link: 'x', mode: 0o604, uid: 7 },
      { path: 'x', content: '6' },
    ),
  );
  const told = await tellTree(await place.mounted('image', image.path), { times: false });
  const names = told
    .map((line) => line.split(' | '))
    .map(([name, , mode, owner, , ...rest]) => [name, mode, owner, rest.at(-2)].join(' '));
  assert.deepEqual(
    names.filter((line) => !line.startsWith('./lib')),
    [
      '. 755 0:0 ',
      './a 755 0:0 ',
      './a/b 755 0:0 ',
      './a/b/c 600 0:0 6',
      './absolute 644 0:0 1',
      './d 750 5:0 ',
      './d/e 644 0:0 1',
      './top 644 0:0 1',
      './up 777 0:0 same as ./up',
      './usr 755 0:0 ',
      './usr/lib 644 0:0 ',
      './usr/lib/through 644 0:0 1',
      './x 644 0:0 1',
      './y 604 7:0 1',
    ],
  );
  assert.equal(
    readFileSync(`${place.at('image.mounted')}/x`, 'utf8') + readFileSync(`${place.at('image.mounted')}/y`, 'utf8'),
    '65',
  );
});

test('whiteouts and opaque directories of an OCI layer hide what lies below, in whichever order they come', async () => {
  await using place = new Place();
  const lower = await place.layer(
    'lower',
    archive(
      ...['gone', 'kept', 'dir/old', 'dir/kept', 'opaque/old', 'again/old', 'before/old', 'filedir/old'].map(
        (path) => ({ path, content: path }),
      ),
    ),
  );
  const upper = await place.layer(
    'upper',
    archive(
      { path: '.wh.gone' },
      { path: 'dir/.wh.old' },
      { path: 'opaque/.wh.useless' },
      { path: 'opaque/new', content: 'new' },
      { path: 'opaque/.wh..wh..opq' },
      { path: '.wh.again' },
      { path: 'again/new', content: 'new' },
      { path: 'before/new', content: 'new' },
      { path: '.wh.before' },
      { path: '.wh..wh.plnk/1.2', content: 'aufs' },
      { path: '.wh.filedir' },
      { path: 'filedir', content: 'now a file' },
    ),
  );
  const merged = await place.overlay('merged', [
    await place.mounted('upper', upper.path),
    await place.mounted('lower', lower.path),
  ]);
  assert.deepEqual(
    (await tellTree(merged)).map((line) => line.split(' | ')[0]),
    [
      '.',
      './again',
      './again/new',
      './before',
      './before/new',
      './dir',
      './dir/kept',
      './filedir',
      './kept',
      './opaque',
      './opaque/new',
    ],
  );
});

/** The writer without its child: many times, quickly. */
async function writeHere(tar: Buffer, path: string): Promise<string> {
  const fd = openSync(path, 'w');
  const writer = new ErofsWriter((data, position) => void writeSync(fd, data, 0, data.length, position), 'oci');
  for await (const read of readTar(Readable.from([tar]))) await writer.add(read);
  ftruncateSync(fd, writer.finish(Buffer.alloc(16)).bytes);
  closeSync(fd);
  return path;
}

test('random trees look in the image as tar unpacks them', async () => {
  await using place = new Place();
  const name = fc.stringMatching(/^[a-zA-Z0-9 \-_~!é]{1,8}$/);
  const number = fc.oneof(fc.nat(0xffff), fc.nat(0x1fffff));
  const attributes = { mode: fc.nat(0o7777), uid: number, gid: number, mtime: fc.oneof(fc.constant(1), fc.nat()) };
  const kinds = fc.constantFrom('0', '0', '0', '1', '2', '3', '5', '6');
  const made = fc.record({
    ...attributes,
    type: kinds,
    name,
    parent: fc.nat(),
    size: fc.oneof(fc.nat(20), fc.nat(20_000)),
    nanoseconds: fc.nat(999_999_999),
  });
  let count = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(made, { maxLength: 40 }), async (entries) => {
      const directories = [''];
      const files: Made[] = [];
      const seen = new Set<string>();
      const list: Made[] = [];
      for (const { type, name: base, parent, size, nanoseconds, ...rest } of entries) {
        const path = directories[parent % directories.length]! + base;
        if (seen.has(path) || base === '.' || base === '..') continue;
        seen.add(path);
        const pax = {
          mtime: `${rest.mtime}.${String(nanoseconds).padStart(9, '0')}`,
          ...(Buffer.byteLength(path) > 100 ? { path } : {}),
        };
        if (type === '5') directories.push(`${path}/`);
        if (type === '1' && files.length === 0) continue;
        const first = files[parent % files.length];
        const link = type === '1' ? String(first!.path) : type === '2' ? base.repeat(5) : '';
        if (Buffer.byteLength(link) > 100) continue;
        const one: Made = {
          path,
          type,
          link,
          pax,
          content: type === '0' ? Buffer.alloc(size, base) : '',
          device: [1, 3],
          ...rest,
        };
        if (type === '0') files.push(one);
        // Programs write a link with what its file has; tar(1) leaves a link's own words out, dockerd doesn't.
        if (type === '1') {
          const { mode, uid, gid, mtime, pax: { mtime: exactly } = {} } = first!;
          list.push({ ...one, mode: mode!, uid: uid!, gid: gid!, mtime: mtime!, pax: { ...pax, mtime: exactly! } });
        } else list.push(one);
      }
      const round = `random ${count++}`;
      const tar = archive({ path: './', type: '5', mode: 0o755 }, ...list);
      const unpacked = place.directory(round);
      await using undo = new AsyncDisposableStack();
      writeFileSync(place.at('random.tar'), tar);
      const image = await writeHere(tar, place.at(`${round}.erofs`));
      await place.run('fsck.erofs', image);
      await place.run(...unpack, '--delay-directory-restore', '-C', unpacked, '-f', 'random.tar');
      const mounted = await place.mounted(round, image);
      undo.defer(() => place.unmount(mounted));
      assertSameTree(await tellTree(mounted), await tellTree(unpacked));
    }),
    { numRuns: 60, endOnFailure: true },
  );
});

const hostile: [string, Buffer, RegExp][] = [
  ['climbs by ..', archive({ path: '../x', content: 'x' }), /leads out of the archive/],
  ['climbs in the middle', archive({ path: 'a/../../x', content: 'x' }), /leads out of the archive/],
  ['links to what is outside', archive({ path: 'x', type: '1', link: '../../etc/passwd' }), /leads out of the archive/],
  ['links to what is not there', archive({ path: 'x', type: '1', link: 'y' }), /is not a file in the archive/],
  [
    'links to a directory',
    archive({ path: 'd/', type: '5' }, { path: 'x', type: '1', link: 'd' }),
    /is not a file in the archive/,
  ],
  [
    'runs in a circle of symlinks',
    archive({ path: 'a', type: '2', link: 'b' }, { path: 'b', type: '2', link: 'a' }, { path: 'a/x', content: 'x' }),
    /too many symlinks/,
  ],
  ['lies below a file', archive({ path: 'a', content: 'x' }, { path: 'a/b', content: 'x' }), /not a directory/],
  ['is cut off in a file', archive({ path: 'a', content: 'x'.repeat(5000) }).subarray(0, 2000), /ends in the middle/],
  ['is cut off in a header', archive({ path: 'a', content: 'x' }).subarray(0, 1024 + 100), /ends in the middle/],
  ['has a huge pax header', archive({ path: 'a', type: 'x', size: 2 ** 33 - 1 }), /header is too large/],
  ['has a huge name', archive({ path: 'a', type: 'L', size: 2 ** 32 }), /header is too large/],
  [
    'has headers without end',
    Buffer.concat(Array.from({ length: 20 }, () => entry({ path: 'a', type: 'g' }))),
    /too many headers/,
  ],
  ['has a wrong checksum', Buffer.alloc(1024, 'A'), /checksum|number/],
  ['has a broken pax record', archive({ path: 'a', type: 'x', content: '99 path=x\n' }), /pax record/],
  ['has a negative pax number', archive({ path: 'a', pax: { size: '-1' } }), /pax number/],
  ['has a name of 256 bytes', archive({ path: 'a', pax: { path: 'n'.repeat(256) } }), /longer than 255/],
  ['has a zero byte in a name', archive({ path: 'a', pax: { path: 'a\0b' } }), /NUL byte/],
  [
    'brings an attribute of overlayfs',
    archive({ path: 'd/', type: '5', pax: { 'SCHILY.xattr.trusted.overlay.opaque': 'y' } }),
    /trusted\.overlay/,
  ],
  ["brings a device that can't be", archive({ path: 'd', type: '3', device: [0o7777777, 1] }), /an invalid number/],
  [
    'has a sparse map that lies',
    archive({ path: 's', pax: { 'GNU.sparse.map': '0,10,5,10', 'GNU.sparse.size': '100' }, content: 'x'.repeat(20) }),
    /sparse map/,
  ],
  [
    'has a sparse map beyond the end',
    archive({ path: 's', pax: { 'GNU.sparse.map': '90,20', 'GNU.sparse.size': '100' }, content: 'x'.repeat(20) }),
    /sparse map/,
  ],
  ['has an entry of no known kind', archive({ path: 's', type: '?' }), /unknown type/],
];

for (const [what, tar, message] of hostile) {
  test(`an archive that ${what} is refused`, async () => {
    await using place = new Place();
    await assert.rejects(writeHere(tar, place.at('bad.erofs')), { code: 'invalid-argument', message });
  });
}

test('a layer that is refused leaves nothing behind', async () => {
  await using place = new Place();
  const broken = gzipSync(archive({ path: 'a', content: 'x'.repeat(5000) })).subarray(0, 60);
  await assert.rejects(place.layer('bad', broken), {
    code: 'invalid-argument',
    message: /compressed layer is damaged/,
  });
  await assert.rejects(place.layer('bad', archive({ path: '../x', content: 'x' })), {
    code: 'invalid-argument',
    message: /leads out of the archive/,
  });
  // Much more than a pipe holds: the reader has long gone when the rest would come.
  await assert.rejects(place.layer('bad', Buffer.concat([entry({ path: '../x' }), Buffer.alloc(8 << 20)])), {
    code: 'invalid-argument',
    message: /leads out of the archive/,
  });
  assert.deepEqual(readdirSync(place.path), []);
});

test('a layer beyond its limits is refused', async () => {
  await using place = new Place();
  const deep = archive({ path: 'a', pax: { path: 'a/'.repeat(200) } });
  await assert.rejects(place.layer('deep', deep, { limits: { entries: 100 } }), {
    code: 'invalid-argument',
    message: /more than 100 entries/,
  });
  await assert.rejects(
    place.layer('large', archive({ path: 'a', content: Buffer.alloc(100_000) }), { limits: { bytes: 50_000 } }),
    { code: 'no-space' },
  );
  const hole = archive({ path: 's', pax: { 'GNU.sparse.map': '0,0', 'GNU.sparse.size': String(2 ** 50) } });
  const image = await place.layer('hole', hole);
  assert.equal(statSync(`${await place.mounted('hole', image.path)}/s`).size, 2 ** 50);
  assert.ok(statSync(image.path).blocks < 4096);
  await assert.rejects(place.layer('bzip2', Buffer.from('BZh91AY&SY')), { code: 'unsupported', message: /bzip2/ });
});

test('who reads the layer has no rights left, and ends when called off', async () => {
  await using place = new Place();
  const controller = new AbortController();
  const source = new Readable({ read: () => undefined });
  source.push(entry({ path: 'a', content: 'x' }));
  const target = place.at('never.erofs');
  const written = writeLayer(source, target, { cell, program: reader, form: 'oci', signal: controller.signal });
  written.catch(() => undefined);
  const pid = await until('the reader has given up its rights', () =>
    descendantsOf(process.pid).find((pid) => isReader(processText(pid, 'status') ?? '')),
  );
  const status = processText(pid, 'status') ?? '';
  assert.match(status, /^Gid:\t65534\t65534\t65534\t65534$/m);
  assert.match(status, /^Groups:\s*$/m);
  assert.match(status, /^CapEff:\t0+$/m);
  assert.match(status, /^CapBnd:\t0+c4$/m);
  assert.match(status, /^NoNewPrivs:\t1$/m);
  assert.match(status, /^Seccomp:\t2$/m);
  for (const name of ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup'])
    assert.notEqual(processLink(pid, `ns/${name}`), processLink(process.pid, `ns/${name}`), name);
  controller.abort();
  await assert.rejects(written, { code: 'cancelled' });
  assert.deepEqual(readdirSync(place.path), []);
  assert.deepEqual(childrenOf(process.pid), []);
  await until('the reader to be gone', () => !isAlive(pid));
});

const isReader = (status: string): boolean => /^Uid:\t65534\t65534\t65534\t65534$/m.test(status);
const descendantsOf = (pid: number): number[] => childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);

test('where a layer is read there is no file but the code, no process, no network and no way to start any', async () => {
  const script = `
    import { spawnSync } from 'node:child_process';
    import { existsSync, readdirSync, writeFileSync } from 'node:fs';
    import { connect } from 'node:net';
    const failure = (attempt) => { try { attempt(); return null; } catch ({ code }) { return code; } };
    const seen = ['/etc/passwd', '/proc/self', '/root', '/dev', '/var', '/run'].filter((path) => existsSync(path));
    const socket = connect(1, '127.0.0.1').on('error', ({ code }) => console.log(JSON.stringify({
      seen,
      root: readdirSync('/').sort(),
      write: failure(() => writeFileSync('/file', '')),
      spawn: spawnSync(process.execPath, ['--version'], { stdio: 'inherit' }).error?.code,
      kill: failure(() => process.kill(1, 0)),
      connect: code,
    })));`;
  const run = await command(cell, [...confinement(), process.execPath, '--input-type=module', '--eval', script], {
    timeoutMs: 30_000,
  });
  assert.equal(run.code, 0, run.stderr);
  const { root, ...told } = JSON.parse(run.stdout) as { root: string[] };
  assert.deepEqual(told, { seen: [], write: 'EROFS', spawn: 'EPERM', kill: 'ENOSYS', connect: 'ENOSYS' });
  const places = new Set(confinement().map((path) => path.split('/')[1]));
  assert.deepEqual(
    root.filter((name) => !places.has(name)),
    [],
  );
});
