// Owns a container's files as the front door asks for them: stat, read, write, export, changes; running or not. The
// drivers do the work. While a container is not running its files are in one hand only: whoever reads or writes them
// holds its queue, so that no start comes between (a virtual disk bears no two users).

import { mkdir } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TwofoldError, isTwofoldError, type ContainerId } from '@twofold/contract';
import type { FileRequest, ToolRun } from '../../drivers/driver.ts';
import { collect } from '../../host/collect.ts';
import { answerLimitBytes } from '../../host/layer-tool.ts';
import type { PathStat } from '../engine.ts';
import { isUp, judge } from '../lifecycle.ts';
import { sandboxOf, writableDirectory } from '../places.ts';
import { noteContainer, type Room } from '../room.ts';
import { mergeChanges, parseChanges, type Change } from './changes.ts';
import { cleanUp } from './clean-up.ts';
import { containerSpec } from './plan.ts';
import { readSealedChanges } from './sealed.ts';
import { takeTurn } from './turn.ts';

/** Runs the layer tool on a container's files. Disposing it ends the tool and lets others at the files again. */
export async function openFiles(
  room: Room,
  id: ContainerId,
  request: FileRequest,
  signal: AbortSignal,
): Promise<ToolRun> {
  const running = runningFiles(room, id, request, signal);
  if (running !== null) return running;
  await using stack = new AsyncDisposableStack();
  const turn = stack.use(await takeTurn(room, id, signal));
  const run = stack.use(await openFilesInTurn(room, id, request, AbortSignal.any([signal, turn.signal])));
  const owned = stack.move();
  // A client that does not read can't be asked to.
  turn.signal.addEventListener('abort', () => void owned.disposeAsync(), { once: true });
  return { stdin: run.stdin, stdout: run.stdout, done: run.done, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The same for a caller who holds the container's queue. */
export async function openFilesInTurn(
  room: Room,
  id: ContainerId,
  request: FileRequest,
  signal: AbortSignal,
): Promise<ToolRun> {
  const record = room.records.need(id);
  const verdict = judge('change-files', record.life, record);
  if (verdict.is === 'refused') throw new TwofoldError(verdict.code, verdict.message);
  const running = runningFiles(room, id, request, signal);
  if (running !== null) return running;
  if (room.presences.of(id).sandboxUp) await cleanUp(room, id);
  await mkdir(writableDirectory(room.settings, id), { recursive: true, mode: 0o700 });
  return guarded(
    await room.driver(record.isolation).filesAtRest({ ...containerSpec(room, record), files: [] }, request, signal),
  );
}

function runningFiles(room: Room, id: ContainerId, request: FileRequest, signal: AbortSignal): Promise<ToolRun> | null {
  const record = room.records.need(id);
  if (!isUp(record.life)) return null;
  return room
    .driver(record.isolation)
    .files({ sandbox: sandboxOf(id), container: id }, request, signal)
    .then(guarded);
}

/** A tool that fails while nobody has come to wait for it must not end the daemon. */
function guarded(run: ToolRun): ToolRun {
  run.done.catch(() => undefined);
  return run;
}

/** What the tool writes, then its outcome: a consumer that reads to the end knows that it was all. */
export async function* outputOf(run: ToolRun): AsyncGenerator<Buffer, void, undefined> {
  yield* run.stdout;
  await run.done;
}

/** All that the tool answers to a verb. */
export async function answerOf(run: ToolRun, verb: 'stat' | 'changes' | 'size'): Promise<Buffer> {
  run.stdin.end();
  return collect(outputOf(run), answerLimitBytes[verb]);
}

/** See Containers.statPath. */
export async function statPath(room: Room, id: ContainerId, path: string, signal: AbortSignal): Promise<PathStat> {
  return named(room, id, path, async () => {
    await using run = await openFiles(room, id, { verb: 'stat', path: checkPath(path) }, signal);
    return parseStat(await answerOf(run, 'stat'));
  });
}

/** See Containers.readArchive. The tar is asked for when it is first read; the path has been looked for before. */
export async function readArchive(
  room: Room,
  id: ContainerId,
  path: string,
  signal: AbortSignal,
): Promise<{ stat: PathStat; tar: AsyncIterable<Buffer> }> {
  const stat = await statPath(room, id, path, signal);
  noteContainer(room, id, 'archive-path');
  return { stat, tar: stream(room, id, { verb: 'pack', path }, signal) };
}

/** See Containers.writeArchive. */
export async function writeArchive(
  room: Room,
  id: ContainerId,
  path: string,
  tar: Readable,
  options: { noOverwriteDirNonDir: boolean; copyUidGid: boolean },
  signal: AbortSignal,
): Promise<void> {
  if (room.records.need(id).hostConfig.ReadonlyRootfs === true)
    throw new TwofoldError('invalid-argument', 'container rootfs is marked read-only');
  await named(room, id, path, () => unpack(room, id, path, tar, options, signal));
  noteContainer(room, id, 'extract-to-dir');
}

async function unpack(
  room: Room,
  id: ContainerId,
  path: string,
  tar: Readable,
  options: { noOverwriteDirNonDir: boolean; copyUidGid: boolean },
  signal: AbortSignal,
): Promise<void> {
  await using run = await openFiles(room, id, { verb: 'unpack', path: checkPath(path), ...options }, signal);
  const drained = drain(run.stdout);
  // A tool that refuses closes its input: why it did is in `done`, not in the broken pipe.
  const fed = pipeline(tar, run.stdin, { signal }).then(
    () => null,
    (error: unknown) => error,
  );
  await run.done;
  await drained;
  const failure = await fed;
  if (failure !== null)
    throw new TwofoldError(signal.aborted ? 'cancelled' : 'internal', 'The archive was cut short.', { cause: failure });
}

/** Docker's words for a path that isn't there; the tool doesn't know the container's name. */
async function named<T>(room: Room, id: ContainerId, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isTwofoldError(error, 'path-not-found')) throw error;
    throw new TwofoldError(
      'path-not-found',
      `Could not find the file ${path} in container ${room.records.get(id)?.name ?? id}`,
      { cause: error },
    );
  }
}

/** See Containers.export. Whether it can be done is known before the first byte. */
export async function exportFiles(room: Room, id: ContainerId, signal: AbortSignal): Promise<AsyncIterable<Buffer>> {
  const run = await openFiles(room, id, { verb: 'export' }, signal);
  noteContainer(room, id, 'export');
  return streamOf(run);
}

/** See Containers.changes: what sealed layers hold counts as the container's own. */
export async function listChanges(room: Room, id: ContainerId, signal: AbortSignal): Promise<Change[]> {
  await using run = await openFiles(room, id, { verb: 'changes' }, signal);
  const sealed = await readSealedChanges(room.records.need(id).sealedLayers);
  return mergeChanges([...sealed, parseChanges(await answerOf(run, 'changes'))]);
}

async function* stream(
  room: Room,
  id: ContainerId,
  request: FileRequest,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  yield* streamOf(await openFiles(room, id, request, signal));
}

async function* streamOf(run: ToolRun): AsyncGenerator<Buffer, void, undefined> {
  await using tool = run;
  tool.stdin.end();
  yield* outputOf(tool);
}

async function drain(output: AsyncIterable<Buffer>): Promise<void> {
  try {
    for await (const _ of output);
  } catch {
    // the tool's end says what went wrong
  }
}

function checkPath(path: string): string {
  if (path === '') throw new TwofoldError('invalid-argument', 'A path in the container is required.');
  if (path.includes('\0')) throw new TwofoldError('invalid-argument', 'The path contains a NUL byte.');
  return path;
}

/** The tool's JSON line may come from a guest. */
export function parseStat(line: Buffer): PathStat {
  let value: Partial<Record<keyof PathStat, unknown>>;
  try {
    value = JSON.parse(line.toString('utf8')) as Partial<Record<keyof PathStat, unknown>>;
  } catch (cause) {
    throw new TwofoldError('protocol', 'The answer about a file in the container cannot be read.', { cause });
  }
  const { name, size, mode, mtime, linkTarget } = value ?? {};
  if (
    typeof name !== 'string' ||
    typeof mtime !== 'string' ||
    typeof linkTarget !== 'string' ||
    !Number.isSafeInteger(size) ||
    !Number.isSafeInteger(mode)
  ) {
    throw new TwofoldError('protocol', 'The answer about a file in the container is incomplete.');
  }
  return { name, size: size as number, mode: mode as number, mtime, linkTarget };
}
