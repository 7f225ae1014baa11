// Owns the JSON documents that images consist of: their checked shapes, limits, and what an image's configuration means
// to us. Everything that is read here came from somebody else. Does not own where the documents lie. Source:
// https://github.com/opencontainers/image-spec/blob/v1.1.0/{config,manifest,image-index,image-layout}.md; docker save's
// manifest.json

import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { TwofoldError, type Digest, type ImageConfig, type ImageId } from '@twofold/contract';
import type { Image } from './images.ts';
import { isDigest } from './reference.ts';

/** Bytes of one document: the distribution specification's limit for a manifest. */
export const documentLimitBytes = 4 << 20;
/** Layers of one image, as Docker's. */
export const layerLimit = 127;

/** This machine's architecture in OCI's (Go's) words. */
export const hostArchitecture: string =
  ({ x64: 'amd64', ia32: '386' } as Record<string, string>)[process.arch] ?? process.arch;

export const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
} as const;

const digest = v.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'not a sha256 digest');
const text = v.pipe(v.string(), v.maxLength(65536));
const maybe = <T extends v.GenericSchema>(schema: T) => v.nullish(schema);
const texts = v.pipe(v.array(v.string()), v.maxLength(65536));
const set = v.record(v.string(), v.unknown());

const descriptor = v.object({
  mediaType: v.optional(text, ''),
  digest,
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  platform: maybe(v.object({ os: v.optional(text, ''), architecture: v.optional(text, ''), variant: maybe(text) })),
  annotations: maybe(v.record(v.string(), text)),
});
export type Descriptor = v.InferOutput<typeof descriptor>;

export const layoutDocument = v.object({ imageLayoutVersion: v.pipe(v.string(), v.startsWith('1.')) });
export const indexDocument = v.object({ manifests: maybe(v.pipe(v.array(descriptor), v.maxLength(1024))) });
/** Without a configuration it is none of an image. */
export const manifestDocument = v.object({
  config: maybe(descriptor),
  layers: maybe(v.pipe(v.array(descriptor), v.maxLength(layerLimit))),
});
export type Manifest = v.InferOutput<typeof manifestDocument>;
export const dockerArchiveDocument = v.pipe(
  v.array(
    v.object({
      Config: text,
      RepoTags: maybe(v.pipe(v.array(text), v.maxLength(1024))),
      Layers: maybe(v.pipe(v.array(text), v.maxLength(layerLimit))),
    }),
  ),
  v.maxLength(1024),
);

const count = v.optional(v.pipe(v.number(), v.safeInteger()));
const healthcheck = v.object({
  Test: maybe(texts),
  Interval: count,
  Timeout: count,
  StartPeriod: count,
  StartInterval: count,
  Retries: count,
});

/** Go writes one word as a text and several as a list, or did. */
const command = maybe(
  v.union([
    texts,
    v.pipe(
      text,
      v.transform((word) => [word]),
    ),
  ]),
);
/** What is left out, or empty, is this machine's: Docker has it so. */
const system = v.pipe(
  v.optional(text, ''),
  v.transform((value) => value || 'linux'),
);
const architecture = v.pipe(
  v.optional(text, ''),
  v.transform((value) => value || hostArchitecture),
);

export const platformDocument = v.object({ os: system, architecture });

/** The `json` of a layer as Docker wrote it up to 1.9; what is not named here is taken over as it is. */
export const v1ImageDocument = v.looseObject({
  parent: maybe(text),
  created: maybe(text),
  author: maybe(text),
  comment: maybe(text),
  container_config: maybe(v.looseObject({ Cmd: command })),
});
export type V1Image = v.InferOutput<typeof v1ImageDocument>;
export const repositoriesDocument = v.record(text, v.record(text, text));

const configDocument = v.object({
  created: maybe(text),
  author: maybe(text),
  comment: maybe(text),
  architecture,
  os: system,
  config: maybe(
    v.object({
      User: maybe(text),
      ExposedPorts: maybe(set),
      Env: maybe(texts),
      Entrypoint: command,
      Cmd: command,
      Volumes: maybe(set),
      WorkingDir: maybe(text),
      Labels: maybe(v.record(v.string(), v.string())),
      StopSignal: maybe(text),
      Shell: maybe(texts),
      OnBuild: maybe(texts),
      Healthcheck: maybe(healthcheck),
    }),
  ),
  rootfs: v.object({ type: v.literal('layers'), diff_ids: maybe(v.pipe(v.array(digest), v.maxLength(layerLimit))) }),
  history: maybe(
    v.array(
      v.object({
        created: maybe(text),
        created_by: maybe(text),
        comment: maybe(text),
        author: maybe(text),
        empty_layer: maybe(v.boolean()),
      }),
    ),
  ),
});

/** Reads a document of a hostile archive. `what` names it in the error. */
export function readDocument<T extends v.GenericSchema>(what: string, schema: T, bytes: Uint8Array): v.InferOutput<T> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new TwofoldError('invalid-argument', `The archive's ${what} is not JSON.`, { cause });
  }
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new TwofoldError(
    'invalid-argument',
    `The archive's ${what} is not valid: ${v.getDotPath(issue) ?? 'the whole'}: ${issue.message}.`,
  );
}

/** What a configuration says, without what the store adds (tags, size). */
export type ConfiguredImage = Omit<Image, 'tags' | 'sizeBytes' | 'layerBytes' | 'parent'>;

/** Reads an image's configuration. Its id is the digest of exactly these bytes. */
export function readImage(bytes: Uint8Array): ConfiguredImage {
  const document = readDocument('image configuration', configDocument, bytes);
  return {
    id: digestOf(bytes) as unknown as ImageId,
    created: document.created ?? '0001-01-01T00:00:00Z',
    architecture: document.architecture,
    os: document.os,
    author: document.author ?? '',
    comment: document.comment ?? '',
    config: withoutNulls(document.config ?? {}) as ImageConfig,
    diffIds: document.rootfs.diff_ids ?? [],
    history: (document.history ?? []).map((entry) => withoutNulls(entry) as Image['history'][number]),
  };
}

/** What is needed to write a configuration. */
export interface NewImage {
  readonly created: string;
  readonly architecture: string;
  readonly author: string;
  readonly comment: string;
  readonly config: ImageConfig;
  readonly diffIds: readonly Digest[];
  readonly history: Image['history'];
}

/** An image's configuration as the specification has it; the same image gives the same bytes. */
export function writeImage(image: NewImage): Buffer {
  return Buffer.from(
    JSON.stringify({
      created: image.created,
      ...(image.author === '' ? {} : { author: image.author }),
      ...(image.comment === '' ? {} : { comment: image.comment }),
      architecture: image.architecture,
      os: 'linux',
      config: image.config,
      rootfs: { type: 'layers', diff_ids: image.diffIds },
      history: image.history,
    }),
  );
}

/** `sha256:…` of some bytes. */
export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

/** Whether an image for that platform runs here: the plain one of an architecture (`amd64/v3` asks for more). */
export function ownPlatform(platform: { os: string; architecture: string; variant?: string | null }): boolean {
  const plain: readonly string[] = hostArchitecture === 'arm64' ? ['', 'v8'] : ['', 'v1'];
  return (
    platform.os === 'linux' && platform.architecture === hostArchitecture && plain.includes(platform.variant ?? '')
  );
}

/** Throws `unsupported` for an image that can't run here. */
export function checkPlatform(image: { os: string; architecture: string }, what: string): void {
  if (ownPlatform(image)) return;
  throw new TwofoldError(
    'unsupported',
    `${what} is for ${image.os}/${image.architecture}; this machine runs linux/${hostArchitecture}.`,
  );
}

function withoutNulls(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null && item !== undefined));
}
