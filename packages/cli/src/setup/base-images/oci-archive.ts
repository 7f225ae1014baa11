// Owns writing an image as an OCI archive (a tar of an OCI layout): the same layers and description give the same
// bytes. Does not own what is in the layers.

import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';
import { tarEnd, tarHeader, tarPadding } from '@twofold/contract/tar-header.ts';

export interface BaseImage {
  /** `nanoserver` */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Plain tars, base first, and what each brings. */
  readonly layers: readonly { readonly tar: string; readonly createdBy: string }[];
  readonly environment: readonly string[];
}

/** Time of everything that we make, Unix seconds: an image must not depend on when it was built. */
export const buildEpoch = Number(process.env['SOURCE_DATE_EPOCH'] ?? Date.UTC(2026, 0, 1) / 1000);
/** The session process, and what it starts when nothing else is asked for. */
export const entrypoint = '/usr/bin/csrss';

const architecture = ({ x64: 'amd64', ia32: '386' } as Record<string, string>)[process.arch] ?? process.arch;
const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip';
/** Most of the gain at a third of the time of the default level. */
const gzipLevel = constants.Z_BEST_SPEED + 2;

interface PackedLayer {
  readonly path: string;
  readonly diffId: string;
  readonly digest: string;
  readonly size: number;
}

/** Writes `target`; it is there whole or not at all. */
export async function writeOciArchive(image: BaseImage, target: string, signal: AbortSignal): Promise<void> {
  await mkdir(dirname(target), { recursive: true, mode: 0o755 });
  await using undo = new AsyncDisposableStack();
  const work = await mkdtemp(join(dirname(target), `.${basename(target)}.`));
  undo.defer(() => rm(work, { recursive: true, force: true }));
  const packed: PackedLayer[] = [];
  for (const [index, { tar }] of image.layers.entries())
    packed.push(await pack(tar, join(work, `${index}.gz`), signal));
  const finished = join(work, 'archive');
  await pipeline(
    Readable.from(archive(image, packed), { objectMode: false }),
    createWriteStream(finished, { mode: 0o644, flush: true }),
    { signal },
  );
  await rename(finished, target);
}

async function pack(tar: string, path: string, signal: AbortSignal): Promise<PackedLayer> {
  const plain = createHash('sha256');
  const gzipped = createHash('sha256');
  const watch = (hash: typeof plain) =>
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    };
  await pipeline(
    createReadStream(tar, { highWaterMark: 1 << 20 }),
    watch(plain),
    createGzip({ level: gzipLevel }),
    watch(gzipped),
    createWriteStream(path),
    { signal },
  );
  return {
    path,
    diffId: `sha256:${plain.digest('hex')}`,
    digest: `sha256:${gzipped.digest('hex')}`,
    size: (await stat(path)).size,
  };
}

async function* archive(image: BaseImage, layers: readonly PackedLayer[]): AsyncGenerator<Buffer> {
  const created = new Date(buildEpoch * 1000).toISOString().replace('.000', '');
  const labels = {
    'org.opencontainers.image.title': image.title,
    'org.opencontainers.image.description': image.description,
  };
  const config = document({
    created,
    architecture,
    os: 'linux',
    config: { Env: image.environment, Entrypoint: [entrypoint], Cmd: ['cmd'], WorkingDir: '/', Labels: labels },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: image.layers.map(({ createdBy }) => ({ created, created_by: createdBy })),
  });
  const manifest = document({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config.digest, size: config.bytes.length },
    layers: layers.map(({ digest, size }) => ({ mediaType: layerType, digest, size })),
    annotations: labels,
  });
  const reference = {
    'io.containerd.image.name': `docker.io/library/${image.name}:latest`,
    'org.opencontainers.image.ref.name': 'latest',
  };
  const index = document({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: manifest.digest,
        size: manifest.bytes.length,
        annotations: reference,
      },
    ],
  });
  yield* file('oci-layout', document({ imageLayoutVersion: '1.0.0' }).bytes);
  yield* file('index.json', index.bytes);
  for (const directory of ['blobs/', 'blobs/sha256/'])
    yield tarHeader({ path: directory, kind: 'directory', mode: 0o755, mtime: buildEpoch });
  for (const { digest, bytes } of [config, manifest]) yield* file(blobPath(digest), bytes);
  for (const { digest, size, path } of layers) {
    yield tarHeader({ path: blobPath(digest), kind: 'file', mode: 0o644, size, mtime: buildEpoch });
    yield* createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
    yield tarPadding(size);
  }
  yield tarEnd();
}

const blobPath = (digest: string) => `blobs/sha256/${digest.slice('sha256:'.length)}`;

function document(value: unknown): { digest: string; bytes: Buffer } {
  const bytes = Buffer.from(JSON.stringify(value));
  return { bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
}

function file(path: string, bytes: Buffer): Buffer[] {
  return [
    tarHeader({ path, kind: 'file', mode: 0o644, size: bytes.length, mtime: buildEpoch }),
    bytes,
    tarPadding(bytes.length),
  ];
}
