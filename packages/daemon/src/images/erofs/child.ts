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
import { isTwofoldError, TwofoldError, type ErrorCode } from '@twofold/contract';
import { decompress, isBrokenCompression } from '../compression.ts';
import { readTar } from '../tar/reader.ts';
import { ErofsWriter, type LayerForm, type LayerLimits, type WrittenImage } from './writer.ts';

export interface ChildOptions {
  readonly form: LayerForm;
  readonly uid: number;
  readonly gid: number;
  readonly limits: Partial<LayerLimits>;
}

export type LayerReport =
  | ({ readonly diffId: string } & WrittenImage)
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

async function convert({ form, limits }: ChildOptions): Promise<LayerReport> {
  const hash = createHash('sha256');
  const { content } = await decompress(process.stdin);
  const hashed = async function* () {
    for await (const chunk of content as AsyncIterable<Buffer>) {
      hash.update(chunk);
      yield chunk;
    }
  };
  const writer = new ErofsWriter(writeAll, form, limits);
  for await (const entry of readTar(hashed(), { wholeEnd: form === 'private' })) await writer.add(entry);
  const digest = hash.digest();
  const image = writer.finish(digest.subarray(0, 16));
  ftruncateSync(imageFd, image.bytes);
  return { diffId: `sha256:${digest.toString('hex')}`, ...image };
}

function describe(error: unknown): LayerReport {
  if (isTwofoldError(error)) return { code: error.code, message: error.message };
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG')
    return { code: 'no-space', message: 'There is no space left for the layer.' };
  if (isBrokenCompression(error)) return { code: 'invalid-argument', message: 'The compressed layer is damaged.' };
  return {
    code: 'internal',
    message: `The layer reader failed: ${error instanceof Error ? error.message : 'for an unknown reason'}`,
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
