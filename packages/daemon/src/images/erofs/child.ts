// The program that reads layers: an unprivileged child of the daemon. Started as root, it loads its code, gives up
// every right, and only then reads the first byte of what somebody else has made.
//
//   stdin   tar, as it is or compressed by gzip or zstd
//   fd 3    the image file, open for writing, empty
//   stdout  one line of JSON: a LayerReport
//
// Arguments: one JSON object, ChildOptions.

import { createHash } from 'node:crypto';
import { ftruncateSync, writeSync } from 'node:fs';
import { Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { isTwofoldError, TwofoldError, type ErrorCode } from '@twofold/contract';
import { readTar } from '../tar/reader.ts';
import { ErofsWriter, type LayerForm, type LayerLimits } from './writer.ts';

export interface ChildOptions {
  readonly form: LayerForm;
  readonly uid: number;
  readonly gid: number;
  readonly limits: Partial<LayerLimits>;
}

export type LayerReport =
  | { readonly diffId: string; readonly entries: number; readonly bytes: number }
  | { readonly code: ErrorCode; readonly message: string };

const imageFd = 3;

function giveUpRights({ uid, gid }: ChildOptions): void {
  if (process.getuid!() !== 0) return;
  process.setgroups!([]);
  process.setgid!(gid);
  process.setuid!(uid);
  if (process.getuid!() !== uid || process.geteuid!() !== uid || process.getgid!() !== gid)
    throw new TwofoldError('internal', 'The layer reader could not give up its rights.');
}

function writeAll(data: Uint8Array, position: number): void {
  for (let done = 0; done < data.length;) done += writeSync(imageFd, data, done, data.length - done, position + done);
}

/** The stream with its first bytes looked at: a compressed one comes out plain. */
async function* plainStream(source: Readable): AsyncGenerator<Buffer> {
  const first = await firstBytes(source, 6);
  const whole = async function* () {
    yield first;
    if (!source.readableEnded) yield* source as AsyncIterable<Buffer>;
  };
  const magic = first.toString('latin1');
  if (magic.startsWith('\x1f\x8b')) yield* unpacked(whole(), createGunzip());
  else if (magic.startsWith('\x28\xb5\x2f\xfd')) yield* unpacked(whole(), createZstdDecompress());
  else if (magic.startsWith('BZh') || magic.startsWith('\xfd7zXZ'))
    throw new TwofoldError('unsupported', 'The layer is compressed by bzip2 or xz; gzip and zstd can be read.');
  else yield* whole();
}

function unpacked(packed: AsyncIterable<Buffer>, unpacker: Transform): AsyncIterable<Buffer> {
  Readable.from(packed)
    .on('error', (error) => unpacker.destroy(error))
    .pipe(unpacker);
  return unpacker;
}

async function firstBytes(source: Readable, count: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let length = 0; length < count;) {
    const part = source.read() as Buffer | null;
    if (part !== null) {
      parts.push(part);
      length += part.length;
    } else if (source.readableEnded) {
      break;
    } else {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      source.once('readable', resolve).once('end', resolve).once('error', reject);
      await promise;
    }
  }
  return Buffer.concat(parts);
}

async function convert({ form, limits }: ChildOptions): Promise<LayerReport> {
  const hash = createHash('sha256');
  const hashed = async function* () {
    for await (const chunk of plainStream(process.stdin)) {
      hash.update(chunk);
      yield chunk;
    }
  };
  const writer = new ErofsWriter(writeAll, form, limits);
  for await (const entry of readTar(hashed(), { wholeEnd: form === 'private' })) await writer.add(entry);
  const digest = hash.digest();
  const { entries, bytes } = writer.finish(digest.subarray(0, 16));
  ftruncateSync(imageFd, bytes);
  return { diffId: `sha256:${digest.toString('hex')}`, entries, bytes };
}

function describe(error: unknown): LayerReport {
  if (isTwofoldError(error)) return { code: error.code, message: error.message };
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG')
    return { code: 'no-space', message: 'There is no space left for the layer.' };
  if (code.startsWith('Z_') || code.startsWith('ZSTD_') || code === 'ERR_ZSTD' || code.startsWith('ERR_ZLIB'))
    return { code: 'invalid-argument', message: 'The layer is compressed, and broken.' };
  return {
    code: 'internal',
    message: `The layer reader failed: ${error instanceof Error ? error.message : 'for no known reason'}`,
  };
}

const options = JSON.parse(process.argv[2] ?? '') as ChildOptions;
let report: LayerReport;
try {
  giveUpRights(options);
  report = await convert(options);
} catch (error) {
  report = describe(error);
}
process.exitCode = 'code' in report ? 1 : 0;
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit());
