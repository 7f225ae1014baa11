// Archives as others write them are loaded; those that mean harm are refused, quickly.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { isTwofoldError } from '@twofold/contract';
import { base, shapes, top } from './shapes.ts';
import { dockerArchive, imageConfig, sha256, Store, tar } from './store.ts';

const shared = new Store();
after(() => shared[Symbol.dispose]());
for (const [name, { archive, tags, diffIds = [[base, top].map(sha256)], layersMatter }] of Object.entries(shapes))
  test(`loaded: ${name}`, async () => {
    using own = layersMatter === true ? new Store() : null;
    const store = own ?? shared;
    store.events.length = 0;
    const images = await store.load(archive);
    assert.deepEqual(
      images.map((image) => image.diffIds),
      diffIds,
    );
    assert.deepEqual(
      store.events.map(({ reference }) => reference),
      tags.length > 0 ? tags : images.map(({ id }) => id),
    );
  });

test('an image without layers is given back as one', async () => {
  using store = new Store();
  const { archive } = shapes['no layers, as Go writes it: no diff_ids, Layers null']!;
  const [image] = await store.load(archive);
  assert.deepEqual(image!.config.Entrypoint, ['one-word']);
  using other = new Store();
  assert.equal((await other.load(await store.save('empty')))[0]!.id, image!.id);
});

test('the old form becomes what Docker makes of it', async () => {
  using store = new Store();
  const [image] = await store.load(shapes['docker 1.9']!.archive);
  assert.deepEqual(image!.history, [
    { created: '2015-01-01T00:00:00Z', created_by: '/bin/sh -c step 1' },
    { created: '2015-02-01T00:00:00Z', created_by: '/bin/sh -c step 2' },
  ]);
  assert.deepEqual(image!.config, { Env: ['PATH=/bin'], Cmd: ['sh'] });
  assert.equal(image!.created, '2015-02-01T00:00:00Z');
  // What dockerd 20.10 says of the same archive.
  if (process.arch === 'x64')
    assert.equal(image!.id, 'sha256:59c6da2ee31b4636d362301c54bb7c8fc914af379880c18f20cba91f56ac19b3');
});

test('a repository without a tag is saved with all that it has, whether latest is one of them or not', async () => {
  using store = new Store();
  await store.load(dockerArchive(['a:1', 'a:2', 'b:1'], [base]));
  const tagsOf = async (name: string) => {
    using other = new Store();
    return (await other.load(await store.save(name)))[0]!.tags;
  };
  assert.deepEqual(await tagsOf('a'), ['a:1', 'a:2']);
  assert.deepEqual(await tagsOf('a:2'), ['a:2']);
});

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const blob = (content: Buffer) => ({ path: `blobs/sha256/${sha256(content).slice(7)}`, content });
const pointer = (content: Buffer, mediaType: string) => ({ mediaType, digest: sha256(content), size: content.length });
const ociIndex = 'application/vnd.oci.image.index.v1+json';

/** Indexes of which each names all of the level below: few bytes, and very many ways. */
function lattice(width: number, depth: number): Buffer {
  const blobs: Buffer[] = [];
  let level: object[] = [pointer(Buffer.from('{}'), 'application/vnd.oci.image.manifest.v1+json')];
  blobs.push(Buffer.from('{}'));
  for (let at = 0; at < depth; at++) {
    const made = Array.from({ length: width }, (_, n) =>
      json({ schemaVersion: 2, manifests: level, annotations: { n: `${n}` } }),
    );
    blobs.push(...made);
    level = made.map((one) => pointer(one, ociIndex));
  }
  return tar([
    { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { path: 'index.json', content: json({ schemaVersion: 2, manifests: level }) },
    ...blobs.map(blob),
  ]);
}

const hostile: Readonly<Record<string, readonly [Buffer, RegExp]>> = {
  'indexes that name each other all over': [lattice(40, 3), /more than 1024 manifests/],
  'indexes in indexes': [lattice(1, 6), /nests its indexes deeper/],
  'a name as long as a header may be': [
    Buffer.concat([longName('n/'.repeat(1 << 16)), tar([{ path: 'manifest.json', content: '[]' }])]),
    /longer than 512 bytes/,
  ],
  'parents in a circle': [
    tar([
      { path: `${'1'.repeat(64)}/json`, content: json({ parent: '2'.repeat(64) }) },
      { path: `${'1'.repeat(64)}/layer.tar`, content: base },
      { path: `${'2'.repeat(64)}/json`, content: json({ parent: '1'.repeat(64) }) },
      { path: `${'2'.repeat(64)}/layer.tar`, content: base },
      { path: 'repositories', content: json({ a: { 1: '1'.repeat(64) } }) },
    ]),
    /more than 127 layers/,
  ],
  'a parent that is missing': [
    tar([
      { path: `${'1'.repeat(64)}/json`, content: json({ parent: 'else' }) },
      { path: `${'1'.repeat(64)}/layer.tar`, content: base },
    ]),
    /refers to the layer "else" and does not contain it/,
  ],
  'more layers than there can be': [
    tar([{ path: 'manifest.json', content: json([{ Config: 'c', Layers: Array.from({ length: 128 }, () => 'l') }]) }]),
    /Layers/,
  ],
  'a document nested without end': [
    tar([{ path: 'manifest.json', content: '['.repeat(1 << 20) }]),
    /manifest.json (?:is not JSON|is not valid)/,
  ],
  'one blob that is said to be two layers': [
    tar([
      { path: 'l', content: base },
      { path: 'c', content: imageConfig([base, top]) },
      { path: 'manifest.json', content: json([{ Config: 'c', Layers: ['l', 'l'] }]) },
    ]),
    /invalid diffID for layer 1/,
  ],
  'a configuration with another count of layers': [
    dockerArchive(['x:1'], [base], { config: imageConfig([base, top]) }),
    /length mismatch: expected 2, got 1/,
  ],
};

/** GNU's entry for a name that does not fit a header. */
function longName(name: string): Buffer {
  const block = tar([{ path: '././@LongLink', content: name }]).subarray(0, -1024);
  block.write('L', 156, 'latin1');
  block.fill(' ', 148, 156);
  const sum = block.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

for (const [name, [archive, message]] of Object.entries(hostile))
  test(`refused: ${name}`, async () => {
    using store = new Store();
    await assert.rejects(
      store.load(archive),
      (error: unknown) =>
        isTwofoldError(error, 'invalid-argument') && (message.test(error.message) || assert.fail(error.message)),
    );
    assert.deepEqual(store.files(), []);
  });
