// Owns the making of a layer file: starts the unprivileged reader (images/erofs/child.ts, named by the caller), hands
// it the stream and the open file, and puts the finished file in its place. Does not look into the stream itself: only
// the child does.

import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TwofoldError, type ErrorCode } from '@twofold/contract';
import { ownCode } from './own-program.ts';

export interface LayerWriteOptions {
  /** The program twofold-cell (native/cell), in which the reader runs. */
  readonly cell: string;
  /** The reader's program: the path of images/erofs/child.ts. */
  readonly program: string;
  readonly form: 'oci' | 'private';
  readonly limits?: { readonly entries?: number; readonly bytes?: number; readonly metadataBytes?: number };
  /** Whom the reader becomes; nobody. */
  readonly uid?: number;
  readonly gid?: number;
  readonly signal: AbortSignal;
}

export interface WrittenLayer {
  /** `sha256:…` of the uncompressed tar. */
  readonly diffId: string;
  readonly sizeBytes: number;
  /** 0: the tar has no entry. */
  readonly entries: number;
  /** Sizes of its files and symlinks, one with several names counted once. */
  readonly contentBytes: number;
}

const nobody = 65534;
const maxReportBytes = 64 << 10;
/** The reader's heap; what it keeps of a layer until the end is bounded by its own limits. */
const heapMebibytes = 2048;
/** Where Debian has the loader and the libraries of a Node that is not static. */
const libraryPlaces = ['x86_64-linux-gnu', 'aarch64-linux-gnu']
  .flatMap((triplet) => [`/lib/${triplet}`, `/usr/lib/${triplet}`])
  .concat('/lib64', '/lib/ld-linux-aarch64.so.1', '/etc/ld.so.cache');

/** All that the reader sees of the machine's files, whatever the stream may bring it to do: its own code. */
export function confinement(): string[] {
  const places = [...ownCode, process.execPath, ...libraryPlaces.filter((path) => existsSync(path))];
  const outer = places.filter((path) => !places.some((other) => path.startsWith(`${other}/`)));
  return [...outer.flatMap((path) => ['--bind', path]), '--'];
}

/** Unfinished files end so; after a crash whoever finds one may delete it. */
export const unfinishedSuffix = '.part';

/** Makes the EROFS file `target` from a layer tar (plain, gzip or zstd). It is there whole or not at all. */
export async function writeLayer(
  source: Readable | { readonly path: string },
  target: string,
  options: LayerWriteOptions,
): Promise<WrittenLayer> {
  if (options.signal.aborted) throw cancelled(options.signal.reason);
  const temporary = `${target}.${randomBytes(6).toString('hex')}${unfinishedSuffix}`;
  await using undo = new AsyncDisposableStack();
  const image = await open(temporary, 'wx', 0o600);
  undo.defer(() => rm(temporary, { force: true }));
  undo.defer(() => image.close().catch(() => undefined));
  const input =
    'path' in source && typeof source.path === 'string' && !('pipe' in source) ? await open(source.path, 'r') : null;
  undo.defer(async () => input?.close().catch(() => undefined));
  const report = await runReader(input ?? (source as Readable), image, options);
  await image.sync();
  await rename(temporary, target);
  await syncDirectory(dirname(target));
  return report;
}

async function runReader(
  source: Readable | FileHandle,
  image: FileHandle,
  options: LayerWriteOptions,
): Promise<WrittenLayer> {
  const { cell, program, form, limits = {}, uid = nobody, gid = nobody, signal } = options;
  const words = [
    `--max-old-space-size=${heapMebibytes}`,
    '--disable-warning=ExperimentalWarning',
    program,
    JSON.stringify({ form, uid, gid, limits }),
  ];
  const isStream = 'pipe' in source;
  const child = spawn(cell, [...confinement(), process.execPath, ...words], {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    stdio: [isStream ? 'pipe' : source.fd, 'pipe', 'pipe', image.fd],
    signal,
    killSignal: 'SIGKILL',
  });
  // A reader that refuses the layer stops reading: it says why by its report, the broken pipe says nothing.
  let feedError: unknown;
  const fed = isStream
    ? pipeline(source, child.stdin!, { signal }).catch((error: unknown) => void (feedError = source.errored ?? error))
    : Promise.resolve();
  const ended = exitOf(child);
  const [report, complaint] = await Promise.all([
    collect(child.stdout!),
    collect(child.stderr!),
    ended.catch(() => undefined),
  ]);
  const code = await ended.catch((error: unknown) => {
    throw signal.aborted
      ? cancelled(error)
      : new TwofoldError('internal', 'Could not start the layer reader.', { cause: error });
  });
  if (isStream && !source.readableEnded) source.destroy();
  await fed;
  if (signal.aborted) throw cancelled(signal.reason);
  // A reader that is content with a stream that broke off has seen a part of the layer only.
  if (feedError !== undefined && (code === 0 || !isBrokenPipe(feedError)))
    throw feedError instanceof TwofoldError
      ? feedError
      : new TwofoldError('internal', 'Could not read the layer to the end.', { cause: feedError });
  return parseReport(report, code, complaint);
}

function isBrokenPipe(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'EPIPE' || code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE';
}

function cancelled(cause: unknown): TwofoldError {
  return new TwofoldError('cancelled', 'The writing of the layer was cancelled.', { cause });
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
}

async function collect(stream: Readable): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of stream as AsyncIterable<Buffer>) {
    size += part.length;
    if (size <= maxReportBytes) parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parseReport(text: string, exitCode: number | null, complaint: string): WrittenLayer {
  let report: Partial<Record<'diffId' | 'entries' | 'bytes' | 'contentBytes' | 'code' | 'message', unknown>> = {};
  try {
    report = JSON.parse(text) as typeof report;
  } catch {
    // It died: its complaint is the cause.
  }
  const { diffId, entries, bytes, contentBytes, code, message } = report;
  if (
    exitCode === 0 &&
    typeof diffId === 'string' &&
    typeof entries === 'number' &&
    typeof bytes === 'number' &&
    typeof contentBytes === 'number'
  )
    return { diffId, entries, sizeBytes: bytes, contentBytes };
  if (typeof code === 'string' && typeof message === 'string') throw new TwofoldError(code as ErrorCode, message);
  throw new TwofoldError('internal', 'The layer reader ended unexpectedly.', {
    cause: new Error(complaint.slice(0, 4096)),
  });
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}
