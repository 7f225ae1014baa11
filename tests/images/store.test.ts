// The images room on real parts: archives in, EROFS layers and archives out.

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { test } from 'node:test';
import { isTwofoldError, type ErrorCode, type ImageId } from '@twofold/contract';
import { command } from '../support/command.ts';
import { dockerArchive, imageConfig, layer, ociArchive, sha256, signal, Store, stream, tar } from './store.ts';

const base = layer('etc/base', 'one\n');
const top = layer('etc/top', 'two\n');
const fails = (code: ErrorCode, message: RegExp) => (error: unknown) =>
  isTwofoldError(error, code) && (message.test(error.message) || assert.fail(error.message));
const unused = { force: false, inUse: () => null };

test('what is loaded from docker, OCI, compressed and nested archives is the same image', async () => {
  using store = new Store();
  const lines: string[] = [];
  const [first] = await store.load(dockerArchive(['NanoServer:latest', 'a/b:c'], [base, top]), lines);
  assert.deepEqual(lines.toSorted(), [
    `Layer 1 of 2: ${sha256(base).slice(7, 19)}`,
    `Layer 2 of 2: ${sha256(top).slice(7, 19)}`,
  ]);
  assert.deepEqual(first!.tags, ['a/b:c', 'NanoServer:latest']);
  assert.equal(first!.id, sha256(imageConfig([base, top])));
  for (const archive of [
    gzipSync(dockerArchive(['x'], [base, top])),
    zstdCompressSync(dockerArchive(['x'], [base, top], { packed: [gzipSync(base), zstdCompressSync(top)] })),
    ociArchive('localhost/y:1', [base, top]),
    ociArchive('z:1', [base, top], { packed: [gzipSync(base), gzipSync(top)], wrap: true }),
  ])
    assert.equal((await store.load(archive))[0]!.id, first!.id);
  assert.deepEqual(store.images.find('nanoserver').tags, [
    'a/b:c',
    'NanoServer:latest',
    'x:latest',
    'z:1',
    'localhost/y:1',
  ]);
  assert.equal(store.files().length, 4, 'two blobs, two layers, nothing half made');
  assert.equal(
    store.images.layers(first!.id)[0]!.path,
    join(store.dataRoot, 'layers', `${sha256(top).slice(7)}.erofs`),
  );
  for (const { path } of store.images.layers(first!.id)) assert.equal((await command('fsck.erofs', [path])).code, 0);
  assert.equal(statSync(join(store.dataRoot, 'layers')).mode & 0o777, 0o700);
  store.reopen();
  assert.equal(store.images.find('LOCALHOST/Y:1').id, first!.id);
  assert.equal(store.files().length, 4);
});

test('an image is found by name without regard to case, by id and by a prefix', async () => {
  using store = new Store();
  const [image] = await store.load(dockerArchive(['NanoServer'], [base]));
  const hex = image!.id.slice(7);
  for (const name of [
    'nanoserver',
    'NANOSERVER:latest',
    'docker.io/library/nanoserver',
    image!.id,
    hex,
    hex.slice(0, 12),
    hex.slice(0, 12).toUpperCase(),
    `sha256:${hex.slice(0, 5)}`,
  ])
    assert.equal(store.images.find(name).id, image!.id, name);
  assert.throws(() => store.images.find('foo'), fails('image-not-found', /^No such image: foo:latest$/));
  assert.throws(
    () => store.images.find('nanoserver:other'),
    fails('image-not-found', /^No such image: nanoserver:other$/),
  );
  assert.throws(() => store.images.find('a b'), fails('invalid-argument', /^invalid reference format/));
  assert.throws(() => store.images.find('sha256:'), fails('image-not-found', /^No such image: sha256:$/));
});

test('a saved image loads again elsewhere, and the same image gives the same bytes', async () => {
  using store = new Store();
  using other = new Store();
  const [image] = await store.load(
    dockerArchive(['NanoServer:1', 'NanoServer:2', 'other'], [base, top], { packed: [gzipSync(base), top] }),
  );
  const archive = await store.save('nanoserver', 'other');
  assert.deepEqual(archive, await store.save('nanoserver', 'other'));
  const [loaded] = await other.load(archive);
  assert.equal(loaded!.id, image!.id);
  assert.deepEqual(loaded!.tags, ['nanoserver:1', 'nanoserver:2', 'other:latest']);
  // The same without docker's document: an OCI layout.
  const listing = await command('tar', ['-tf', '-'], { input: archive });
  assert.match(listing.stdout, /^blobs\/\n/);
  const oci = await command('tar', ['--delete', '-f', '-', 'manifest.json'], { input: archive });
  using third = new Store();
  assert.equal((await third.load(oci.bytes))[0]!.tags.length, 3);
  await assert.rejects(store.save('nanoserver', 'absent'), fails('image-not-found', /absent:latest/));
});

test('archives that lie, climb out or make no sense are refused, and leave nothing', async () => {
  using store = new Store();
  const bad = (entry: object) => dockerArchive(['x'], [base], { extra: [entry as never] });
  const cases: [string, Buffer, ErrorCode, RegExp][] = [
    [
      'a name that climbs out',
      bad({ path: '../../etc/passwd', content: 'x' }),
      'invalid-argument',
      /leads out of the archive/,
    ],
    ['an absolute name', bad({ path: '/etc/passwd', content: 'x' }), 'invalid-argument', /absolute name/],
    [
      'a symlink out',
      bad({ path: 'a/link', kind: 'symlink', link: '../../../etc/passwd' }),
      'invalid-argument',
      /leads out of the archive/,
    ],
    [
      'an absolute symlink',
      bad({ path: 'link', kind: 'symlink', link: '/etc/passwd' }),
      'invalid-argument',
      /links to something outside/,
    ],
    [
      'a layer with other content',
      dockerArchive(['x'], [base], { packed: [top] }),
      'invalid-argument',
      /invalid diffID for layer 0/,
    ],
    [
      'a second layer with other content',
      dockerArchive(['x'], [base, top], { packed: [base, base] }),
      'invalid-argument',
      /invalid diffID for layer 1/,
    ],
    [
      'a layer too few',
      dockerArchive(['x'], [base, top], { packed: [base], config: imageConfig([base, top]) }),
      'invalid-argument',
      /layers length mismatch/,
    ],
    [
      'a blob with other content',
      tar([{ path: `blobs/sha256/${'0'.repeat(64)}`, content: 'x' }]),
      'invalid-argument',
      /does not match its name/,
    ],
    ['no image', tar([{ path: 'etc/passwd', content: 'x' }]), 'invalid-argument', /is not an image/],
    ['nothing', Buffer.alloc(0), 'invalid-argument', /empty/],
    ['noise', Buffer.alloc(4096, 7), 'invalid-argument', /broken/],
    ['a cut archive', dockerArchive(['x'], [base]).subarray(0, 3000), 'invalid-argument', /./],
    [
      'a broken gzip',
      gzipSync(dockerArchive(['x'], [base])).fill(0, 60, 120),
      'invalid-argument',
      /compressed archive is damaged/,
    ],
    ['xz', Buffer.from('fd377a585a000000', 'hex'), 'unsupported', /compressed with xz/],
    ['a manifest that is no JSON', tar([{ path: 'manifest.json', content: '{' }]), 'invalid-argument', /not JSON/],
    [
      'a manifest of another shape',
      tar([{ path: 'manifest.json', content: '[{"Config":7}]' }]),
      'invalid-argument',
      /is not valid/,
    ],
    [
      'a manifest of gigabytes',
      tar([{ path: 'manifest.json', content: Buffer.alloc(5 << 20, 0x20) }]),
      'invalid-argument',
      /longer than/,
    ],
    [
      'a missing file',
      tar([{ path: 'manifest.json', content: '[{"Config":"c","Layers":[]}]' }]),
      'invalid-argument',
      /does not contain it/,
    ],
    [
      'a name of a file outside',
      tar([{ path: 'manifest.json', content: '[{"Config":"../../../../etc/hostname","Layers":[]}]' }]),
      'invalid-argument',
      /leads out of the archive/,
    ],
    [
      'links in a circle',
      tar([
        { path: 'a', kind: 'symlink', link: 'b' },
        { path: 'b', kind: 'symlink', link: 'a' },
        { path: 'manifest.json', content: '[{"Config":"a","Layers":[]}]' },
      ]),
      'invalid-argument',
      /does not contain it/,
    ],
    [
      'another machine',
      dockerArchive(['x'], [base], { config: imageConfig([base], { architecture: 'mips' }) }),
      'unsupported',
      /linux\/mips; this machine runs linux\//,
    ],
    [
      'another system',
      dockerArchive(['x'], [base], { config: imageConfig([base], { os: 'windows' }) }),
      'unsupported',
      /windows/,
    ],
    ['a bad tag', dockerArchive(['x:y:z'], [base]), 'invalid-argument', /invalid reference format/],
    [
      'a layer that climbs out',
      dockerArchive(['x'], [tar([{ path: '../x', content: 'x' }])]),
      'invalid-argument',
      /leads out of the archive/,
    ],
  ];
  for (const [what, archive, code, message] of cases)
    await assert.rejects(store.load(archive), fails(code, message), what);
  assert.deepEqual(store.images.list(), []);
  assert.deepEqual(store.files(), []);
});

test('a load that is called off ends, and its remains go', async () => {
  using store = new Store();
  const never = new Readable({ read() {} });
  never.push(dockerArchive(['x'], [base]).subarray(0, 1024));
  const off = new AbortController();
  const loading = store.images.load(never, () => undefined, off.signal);
  off.abort();
  await assert.rejects(loading, fails('cancelled', /./));
  assert.ok(never.destroyed);
  assert.deepEqual(store.files(), []);
});

test('a source that breaks off is no image, and a refused one is told why however much of it is left', async () => {
  using store = new Store();
  const options = { reference: null, changes: [], message: '' };
  // Broken off between two entries, where a tar may end.
  const broken = Readable.from(
    (function* () {
      yield base.subarray(0, base.length - 1024);
      throw new Error('the client hung up');
    })(),
    { objectMode: false },
  );
  await assert.rejects(store.images.import(broken, options, signal), fails('internal', /to the end/));
  const long = Readable.from(
    (function* () {
      yield tar([{ path: '../x', content: 'x' }]);
      for (let i = 0; i < 200; i++) yield Buffer.alloc(1 << 20);
    })(),
    { objectMode: false },
  );
  await assert.rejects(
    store.images.import(long, options, signal),
    fails('invalid-argument', /leads out of the archive/),
  );
  assert.deepEqual(store.files(), []);
});

test('import makes an image of a root file system, with changes', async () => {
  using store = new Store();
  const image = await store.images.import(
    stream(gzipSync(base)),
    { reference: 'Imported:1', changes: ['CMD ["/bin/sh"]', 'ENV A=b'], message: '' },
    signal,
  );
  assert.deepEqual(store.images.find('imported:1').config, { Cmd: ['/bin/sh'], Env: ['A=b'] });
  assert.deepEqual(image.diffIds, [sha256(base)]);
  assert.equal(image.comment, 'Imported from -');
  await assert.rejects(
    store.images.import(stream(base), { reference: null, changes: ['RUN x'], message: '' }, signal),
    fails('invalid-argument', /RUN is not a valid change command/),
  );
  await assert.rejects(
    store.images.import(stream(Buffer.alloc(2048, 1)), { reference: null, changes: [], message: '' }, signal),
    fails('invalid-argument', /./),
  );
  assert.deepEqual(
    store.events.map(({ action, reference }) => [action, reference]),
    [['import', 'Imported:1']],
  );
  assert.equal(store.files().length, 2);
});

test('commit puts the sealed layers and the changes above the parent', async () => {
  using store = new Store();
  const [parent] = await store.load(dockerArchive(['base'], [base]));
  const directory = join(store.root, 'container');
  mkdirSync(directory);
  const sealed = (await store.images.seal(stream(layer('etc/sealed', 'three\n')), directory, signal))!;
  assert.deepEqual(readdirSync(directory), [`${sealed.name}.erofs`]);
  const options = {
    reference: 'made',
    changes: ['CMD ["x"]'],
    config: { Env: ['A=b'], Cmd: ['old'] },
    message: 'why',
    author: 'who',
    createdBy: 'sh',
  };
  const image = await store.images.commit(parent!.id, [sealed], stream(top), options, signal);
  assert.equal(image.diffIds.length, 3);
  assert.deepEqual([image.diffIds[0], image.diffIds[2]], [sha256(base), sha256(top)]);
  assert.deepEqual(image.config, { Env: ['A=b'], Cmd: ['x'] });
  assert.equal(image.parent, parent!.id);
  assert.deepEqual(
    image.history.map(({ created_by }) => created_by),
    ['test', 'conversion between isolations', 'sh'],
  );
  const [, middle] = store.images.layers(image.id);
  const listing = await command('fsck.erofs', [middle!.path]);
  assert.equal(listing.code, 0, listing.stderr);
  const dumped = await command('dump.erofs', ['--path=/etc/sealed', middle!.path]);
  assert.equal(dumped.code, 0, dumped.stderr);
  assert.deepEqual(readdirSync(join(store.root, 'run', 'sealed')), []);
});

test('tags move, and an image goes with its last name, its files with it', async () => {
  using store = new Store();
  const [first] = await store.load(dockerArchive(['a'], [base, top]));
  const [second] = await store.load(dockerArchive(['b'], [base]));
  assert.throws(() => store.images.tag('a', 'not legal'), fails('invalid-argument', /invalid reference format/));
  store.images.tag('a', 'c:1');
  store.images.tag('b', 'A');
  assert.deepEqual(store.images.find(first!.id).tags, ['c:1']);
  assert.deepEqual(store.images.find(second!.id).tags, ['A:latest', 'b:latest']);
  assert.throws(
    () => store.images.remove(second!.id, unused),
    fails('conflict', /must be forced\) - image is referenced in multiple repositories/),
  );
  assert.deepEqual(store.images.remove('c:1', unused), { untagged: ['c:1'], deleted: [first!.id, sha256(top)] });
  assert.deepEqual(store.files().length, 2);
  assert.deepEqual(store.images.remove('a', unused), { untagged: ['A:latest'], deleted: [] });
  assert.deepEqual(store.images.remove(second!.id.slice(7, 19), unused).deleted, [second!.id, sha256(base)]);
  assert.deepEqual(store.files(), []);
  assert.throws(() => store.images.remove('b', unused), fails('image-not-found', /No such image: b:latest/));
  store.reopen();
  assert.deepEqual(store.images.list(), []);
});

test('what an event tells of is there with it or not at all', async () => {
  using store = new Store();
  const [image] = await store.load(dockerArchive(['a'], [base]));
  const before = store.images.list();
  store.images.onEvent(() => {
    throw new Error('the event cannot be written');
  });
  const refusal = { message: 'the event cannot be written' };
  await assert.rejects(store.load(dockerArchive(['b'], [base, top])), refusal);
  await assert.rejects(
    store.images.import(stream(base), { reference: 'c', changes: [], message: '' }, signal),
    refusal,
  );
  assert.throws(() => store.images.tag('a', 'd'), refusal);
  assert.throws(() => store.images.remove('a', unused), refusal);
  assert.throws(() => store.images.remove(image!.id, { ...unused, force: true }), refusal);
  assert.deepEqual(store.images.list(), before);
  store.reopen();
  assert.deepEqual(store.images.list(), before);
});

test('an image that a container uses is kept, whatever is asked', async () => {
  using store = new Store();
  const [image] = await store.load(dockerArchive(['a'], [base]));
  const by = (running: boolean, force: boolean) => ({
    force,
    inUse: (id: ImageId) => (id === image!.id ? { container: 'abcdef012345', running } : null),
  });
  assert.throws(
    () => store.images.remove('a', by(false, false)),
    fails(
      'conflict',
      /^conflict: unable to remove repository reference "a" \(must force\) - container abcdef012345 is using its referenced image [0-9a-f]{12}$/,
    ),
  );
  assert.throws(
    () => store.images.remove(image!.id, by(false, false)),
    fails('conflict', /must be forced\) - image is being used by stopped container abcdef012345/),
  );
  assert.throws(
    () => store.images.remove(image!.id, by(true, true)),
    fails('conflict', /cannot be forced\) - image is being used by running container abcdef012345/),
  );
  assert.deepEqual(store.images.remove('a', by(true, true)), { untagged: ['a:latest'], deleted: [] });
  assert.deepEqual(store.images.find(image!.id).tags, []);
  assert.equal(store.files().length, 2);
});

test('what a killed daemon left half written is swept at the start', async () => {
  using store = new Store();
  await store.load(dockerArchive(['a'], [base]));
  const before = store.files();
  for (const path of [
    'ingest/half',
    `blobs/sha256/${'1'.repeat(64)}`,
    `layers/${'1'.repeat(64)}.erofs`,
    `layers/x.erofs.123456.part`,
  ])
    writeFileSync(join(store.dataRoot, path), 'x');
  store.reopen();
  assert.deepEqual(store.files(), before);
});

test('base archives are loaded once, from the cache for a further data root, and again when they change', async () => {
  using store = new Store();
  const directory = join(store.libRoot, 'base-images');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'nanoserver.tar'), ociArchive('nanoserver:latest', [base]));
  await store.images.ensureBaseImages(signal);
  const { id } = store.images.find('NanoServer');
  using second = new Store({ libRoot: store.libRoot });
  await second.images.ensureBaseImages(signal);
  assert.equal(second.images.find('nanoserver').id, id);
  assert.equal(
    statSync(second.images.layers(id)[0]!.path).ino,
    statSync(store.images.layers(id)[0]!.path).ino,
    'one file for both',
  );
  store.images.remove('nanoserver', unused);
  await store.images.ensureBaseImages(signal);
  assert.deepEqual(store.images.list(), [], 'what the user removed stays removed');
  writeFileSync(join(directory, 'nanoserver.tar'), ociArchive('nanoserver:latest', [top]));
  await second.images.ensureBaseImages(signal);
  assert.notEqual(second.images.find('nanoserver').id, id);
  assert.deepEqual(second.images.find(id).tags, []);
});
