// Owns the shapes of image archives as others write them, each made small here after the sources of its writer. All of
// them hold the same layers.

import { gzipSync, zstdCompressSync } from 'node:zlib';
import { header } from '../layers/archive.ts';
import { imageConfig, layer, sha256, tar, type Entry } from './store.ts';

export const base = layer('etc/base', 'one\n');
export const top = layer('etc/top', 'two\n');
const layers = [base, top];
const often = [base, top, base, top, base, base];
const architecture = process.arch === 'x64' ? 'amd64' : process.arch;

export interface Shape {
  readonly archive: Buffer;
  readonly tags: readonly string[];
  /** Of the images; the usual one. */
  readonly diffIds?: readonly (readonly string[])[];
  /** How the layers are packed is of interest: they are read anew. */
  readonly layersMatter?: boolean;
}

const config = imageConfig(layers);
const hex = (bytes: Buffer) => sha256(bytes).slice('sha256:'.length);
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const blob = (content: Buffer): Entry => ({ path: `blobs/sha256/${hex(content)}`, content });
const describe = (content: Buffer, mediaType: string, more: object = {}) => ({
  mediaType,
  digest: sha256(content),
  size: content.length,
  ...more,
});
const oci = 'application/vnd.oci.image';
const docker = 'application/vnd.docker';
const platform = { os: 'linux', architecture };

/** An image's manifest, with layers as they are packed. */
function manifestOf(
  packed: readonly Buffer[],
  of = config,
  types = { config: `${oci}.config.v1+json`, layer: `${oci}.layer.v1.tar` },
) {
  return json({
    schemaVersion: 2,
    config: describe(of, types.config),
    layers: packed.map((content) => describe(content, types.layer)),
  });
}

/** A layout whose index.json names `entries`; `blobs` are what they lead to. */
function layout(entries: readonly object[], blobs: readonly Buffer[], more: readonly Entry[] = []): Buffer {
  return tar([
    { path: 'oci-layout', content: '{"imageLayoutVersion": "1.0.0"}' },
    ...[...new Set(blobs)].map(blob),
    { path: 'index.json', content: json({ schemaVersion: 2, manifests: entries }) },
    ...more,
  ]);
}

const dockerManifest = (
  Config: string,
  Layers: readonly string[] | null,
  RepoTags: readonly string[] | null,
  more: object = {},
) => ({ path: 'manifest.json', content: json([{ Config, RepoTags, Layers, ...more }]) });

const plain = manifestOf(layers);
const packed = layers.map((one) => gzipSync(one));
const zipped = manifestOf(packed, config, { config: `${oci}.config.v1+json`, layer: `${oci}.layer.v1.tar+gzip` });
const imageEntry = (more: object = {}) => describe(zipped, `${oci}.manifest.v1+json`, more);
const imageBlobs = [zipped, config, ...packed];

/** Docker up to 1.9 (image/v1): `repositories`, and for each layer VERSION, json, layer.tar. */
const id = (n: number) => String(n).repeat(64);
const v1 = (n: number, parent: number | null, content: Buffer): Entry[] => [
  { path: `${id(n)}/`, kind: 'directory', mode: 0o755 },
  { path: `${id(n)}/VERSION`, content: '1.0' },
  {
    path: `${id(n)}/json`,
    content: json({
      id: id(n),
      ...(parent === null ? {} : { parent: id(parent) }),
      created: `2015-0${n}-01T00:00:00Z`,
      container_config: { Cmd: ['/bin/sh', '-c', `step ${n}`] },
      docker_version: '1.9.1',
      config: { Env: ['PATH=/bin'], Cmd: ['sh'], Volumes: null, Entrypoint: null },
      architecture,
      os: 'linux',
      Size: 1,
    }),
  },
  { path: `${id(n)}/layer.tar`, content },
];
const legacy = [...v1(1, null, base), ...v1(2, 1, top)];

/** cosign save: image, signature and SBOM beside each other; a signature has an image's configuration type. */
const signature = manifestOf(
  [Buffer.from('{"critical":{}}')],
  json({ architecture: '', os: '', rootfs: { type: 'layers', diff_ids: [sha256(base)] }, config: {} }),
  { config: `${oci}.config.v1+json`, layer: 'application/vnd.dev.cosign.simplesigning.v1+json' },
);
const sbom = json({
  schemaVersion: 2,
  artifactType: 'application/spdx+json',
  config: describe(Buffer.from('{}'), 'application/vnd.oci.empty.v1+json'),
  layers: [describe(Buffer.from('{}'), 'application/spdx+json')],
  subject: imageEntry(),
});
/** BuildKit's attestation, which is a manifest with an image's types. */
const attestation = manifestOf(
  [Buffer.from('{"in-toto":1}')],
  json({ architecture: 'unknown', os: 'unknown', rootfs: { type: 'layers', diff_ids: [] } }),
  { config: `${oci}.config.v1+json`, layer: 'application/vnd.in-toto+json' },
);
const buildkit = json({
  schemaVersion: 2,
  manifests: [
    describe(Buffer.from('not in the archive'), `${oci}.manifest.v1+json`, {
      platform: { os: 'linux', architecture: 'mips64le' },
    }),
    imageEntry({ platform }),
    imageEntry({ digest: sha256(Buffer.from('v3')), platform: { ...platform, variant: 'v3' } }),
    describe(attestation, `${oci}.manifest.v1+json`, {
      platform: { os: 'unknown', architecture: 'unknown' },
      annotations: {
        'vnd.docker.reference.type': 'attestation-manifest',
        'vnd.docker.reference.digest': sha256(zipped),
      },
    }),
  ],
});
const index = (content: Buffer, more: object = {}) => describe(content, `${oci}.index.v1+json`, more);
const named = (name: string, tag: string) => ({
  annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': tag },
});
const skippable = Buffer.from('5a2a4d180400000001020304', 'hex');
const frames = (content: Buffer): Buffer =>
  Buffer.concat([
    skippable,
    zstdCompressSync(content.subarray(0, 700)),
    zstdCompressSync(Buffer.alloc(0)),
    skippable,
    zstdCompressSync(content.subarray(700)),
    skippable,
  ]);

/** Sums as bytes with a sign, and a field that begins with a zero byte: tar of old Unix systems. */
function signedTar(entries: readonly { path: Buffer; content: Buffer }[]): Buffer {
  return Buffer.concat([
    ...entries.flatMap(({ path, content }) => {
      const block = header({ path, content, mode: 0o644 });
      block.write('\x000644', 100, 'latin1');
      block.fill(' ', 148, 156);
      const sum = block.reduce((total, _, at) => total + block.readInt8(at), 0);
      block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
      return [block, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
    }),
    Buffer.alloc(1024),
  ]);
}

const nothing = (rootfs: object) =>
  json({
    architecture,
    os: 'linux',
    config: { Labels: { a: 'b' }, Cmd: null, Entrypoint: 'one-word' },
    rootfs,
    history: null,
  });
const bare = nothing({ type: 'layers' });
const nullish = nothing({ type: 'layers', diff_ids: null });
const umoci = manifestOf([], nullish);

export const shapes: Readonly<Record<string, Shape>> = {
  'docker 1.9': {
    archive: tar([...legacy, { path: 'repositories', content: json({ 'old/name': { '1.0': id(2), latest: id(2) } }) }]),
    tags: ['old/name:1.0', 'old/name:latest'],
  },
  'docker 1.9, by id, a compressed layer': {
    archive: tar([...v1(1, null, gzipSync(base)), ...v1(2, 1, top)]),
    tags: [],
    layersMatter: true,
  },
  'docker 1.10 to 24': {
    archive: tar([
      ...legacy,
      { path: `${hex(config)}.json`, content: config },
      dockerManifest(`${hex(config)}.json`, [`${id(1)}/layer.tar`, `${id(2)}/layer.tar`], ['a:1']),
      { path: 'repositories', content: json({ a: { 1: id(2) } }) },
    ]),
    tags: ['a:1'],
  },
  'docker 1.10 to 24, the same layer twice': {
    archive: tar([
      ...v1(1, null, base),
      { path: `${id(2)}/layer.tar`, kind: 'symlink', link: `../${id(1)}/layer.tar` },
      { path: 'c.json', content: imageConfig([base, base]) },
      dockerManifest('c.json', [`${id(1)}/layer.tar`, `${id(2)}/layer.tar`], ['a:1']),
    ]),
    tags: ['a:1'],
    diffIds: [[base, base].map(sha256)],
    layersMatter: true,
  },
  'docker 25 to 28': {
    archive: layout(
      [describe(plain, `${oci}.manifest.v1+json`, named('docker.io/library/a:1', '1'))],
      [plain, config, ...layers],
      [
        dockerManifest(
          `blobs/sha256/${hex(config)}`,
          layers.map((one) => `blobs/sha256/${hex(one)}`),
          ['a:1'],
          {
            LayerSources: Object.fromEntries(layers.map((one) => [sha256(one), describe(one, `${oci}.layer.v1.tar`)])),
          },
        ),
        { path: 'repositories', content: '{"a":{"1":"x"}}' },
      ],
    ),
    tags: ['a:1'],
  },
  'docker 29 (containerd), BuildKit type=oci with attestations and other platforms': {
    archive: layout([index(buildkit, named('docker.io/library/a:1', '1'))], [buildkit, attestation, ...imageBlobs]),
    tags: ['a:1'],
  },
  'docker 25 to 28, the same layers many times, each blob once': {
    archive: tar([
      ...[base, top, imageConfig(often)].map(blob),
      dockerManifest(
        blob(imageConfig(often)).path,
        often.map((one) => blob(one).path),
        ['a:1'],
      ),
    ]),
    tags: ['a:1'],
    diffIds: [often.map(sha256)],
    layersMatter: true,
  },
  'BuildKit type=docker, zstd layers of many frames (podman’s zstd:chunked), skippable ones among them': {
    layersMatter: true,
    archive: tar([
      ...layers.map((one) => blob(frames(one))),
      blob(config),
      dockerManifest(
        `blobs/sha256/${hex(config)}`,
        layers.map((one) => blob(frames(one)).path),
        ['a:1'],
      ),
    ]),
    tags: ['a:1'],
  },
  'podman save, buildah push docker-archive': {
    archive: tar([
      ...layers.flatMap((one, n): Entry[] => [
        { path: `${hex(one)}.tar`, content: one },
        { path: `${id(n + 1)}/layer.tar`, kind: 'symlink', link: `../${hex(one)}.tar` },
        { path: `${id(n + 1)}/VERSION`, content: '1.0' },
        { path: `${id(n + 1)}/json`, content: '{}' },
      ]),
      { path: `${hex(config)}.json`, content: config },
      { path: 'repositories', content: json({ 'localhost/a': { 1: id(2) } }) },
      dockerManifest(
        `${hex(config)}.json`,
        layers.map((one) => `${hex(one)}.tar`),
        ['localhost/a:1'],
      ),
    ]),
    tags: ['localhost/a:1'],
  },
  'podman save, skopeo copy oci-archive': {
    archive: layout(
      [imageEntry({ annotations: { 'org.opencontainers.image.ref.name': 'localhost/a:1' } })],
      imageBlobs,
    ),
    tags: ['localhost/a:1'],
  },
  'skopeo copy oci-archive, under a name of its own': {
    archive: layout(
      [imageEntry({ annotations: { 'org.opencontainers.image.ref.name': 'build://Nightly of 1/2' } })],
      imageBlobs,
    ),
    tags: [],
  },
  'kaniko --tar-path, ko --tarball, crane (go-containerregistry)': {
    archive: tar([
      { path: sha256(config), content: config },
      ...packed.map((one): Entry => ({ path: `${hex(one)}.tar.gz`, content: one })),
      dockerManifest(
        sha256(config),
        packed.map((one) => `${hex(one)}.tar.gz`),
        ['gcr.io/p/a:1'],
      ),
    ]),
    tags: ['gcr.io/p/a:1'],
  },
  'bazel rules_docker (names begin with ./)': {
    archive: tar([
      { path: './', kind: 'directory', mode: 0o755 },
      { path: `./${hex(config)}.json`, content: config },
      ...layers.map((one): Entry => ({ path: `./${hex(one)}/layer.tar`, content: one })),
      {
        path: './manifest.json',
        content: dockerManifest(
          `${hex(config)}.json`,
          layers.map((one) => `${hex(one)}/layer.tar`),
          ['bazel/a:1'],
        ).content,
      },
    ]),
    tags: ['bazel/a:1'],
  },
  'bazel rules_oci': {
    archive: tar([
      ...imageBlobs.map(blob),
      dockerManifest(
        `blobs/sha256/${hex(config)}`,
        packed.map((one) => blob(one).path),
        ['a:1', 'b:2'],
      ),
    ]),
    tags: ['a:1', 'b:2'],
  },
  'cosign save, with signature and SBOM': {
    archive: layout(
      [
        imageEntry({
          annotations: { kind: 'dev.cosignproject.cosign/image', 'org.opencontainers.image.ref.name': 'ghcr.io/p/a:1' },
        }),
        describe(signature, `${oci}.manifest.v1+json`, { annotations: { kind: 'dev.cosignproject.cosign/sigs' } }),
        describe(sbom, `${oci}.manifest.v1+json`, { artifactType: 'application/spdx+json' }),
      ],
      [...imageBlobs, signature, sbom],
    ),
    tags: ['ghcr.io/p/a:1'],
  },
  'umoci (a tag alone), tarred by hand': {
    archive: tar([
      { path: './blobs/sha256/', kind: 'directory', mode: 0o755 },
      ...imageBlobs.map((one): Entry => ({ ...blob(one), path: `./${blob(one).path}` })),
      {
        path: './index.json',
        content: json({
          schemaVersion: 2,
          manifests: [imageEntry({ annotations: { 'org.opencontainers.image.ref.name': 'latest' } })],
        }),
      },
      { path: './oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    ]),
    tags: [],
  },
  'Docker media types in a layout (regctl, nerdctl)': {
    archive: (() => {
      const manifest = manifestOf(packed, config, {
        config: `${docker}.container.image.v1+json`,
        layer: `${docker}.image.rootfs.diff.tar.gzip`,
      });
      const list = json({
        schemaVersion: 2,
        manifests: [describe(manifest, `${docker}.distribution.manifest.v2+json`, { platform })],
      });
      return layout(
        [describe(list, `${docker}.distribution.manifest.list.v2+json`, named('docker.io/p/a:1', '1'))],
        [list, manifest, config, ...packed],
      );
    })(),
    tags: ['p/a:1'],
  },
  'no layers, as Go writes it: no diff_ids, Layers null': {
    archive: tar([{ path: 'c.json', content: bare }, dockerManifest('c.json', null, ['empty:1'])]),
    tags: ['empty:1'],
    diffIds: [[]],
  },
  'umoci new: diff_ids null': {
    archive: layout([describe(umoci, `${oci}.manifest.v1+json`)], [umoci, nullish]),
    tags: [],
    diffIds: [[]],
  },
  'tar of an old system: signed sums, and names beyond ASCII': {
    archive: signedTar([
      { path: Buffer.from('cönfig.json'), content: config },
      ...layers.map((content, n) => ({ path: Buffer.from(`ebene-${n}-ä.tar`), content })),
      {
        path: Buffer.from('manifest.json'),
        content: dockerManifest('cönfig.json', ['ebene-0-ä.tar', 'ebene-1-ä.tar'], ['a:1']).content,
      },
    ]),
    tags: ['a:1'],
  },
  'zstd that begins with skippable frames, around the whole': {
    archive: Buffer.concat([
      skippable,
      skippable,
      zstdCompressSync(layout([imageEntry(named('docker.io/library/a:1', '1'))], imageBlobs)),
    ]),
    tags: ['a:1'],
  },
};
