// Owns the running of the layer tool (native/layer) on the host: streams, end, and the reading of its error line, which
// guests send too. Which verb with which words is the callers' affair (docs/layers.md).

import { spawn } from 'node:child_process';
import { PassThrough, pipeline, type Writable } from 'node:stream';
import { callerErrorCodes, engineErrorCodes, TwofoldError, type ErrorCode } from '@twofold/contract';
import { collect } from './collect.ts';

/** A running verb; drivers hand it on as their ToolRun. */
export interface LayerToolRun extends AsyncDisposable {
  readonly stdin: Writable;
  readonly stdout: AsyncIterable<Buffer>;
  /** Resolves when the tool has ended well; otherwise rejects with the tool's own code and message. Never unhandled. */
  readonly done: Promise<void>;
}

const maxComplaintBytes = 4096;
const outputBufferBytes = 256 << 10;
/**
 * Bytes of what is read whole, by verb: a guest, or a tree that somebody filled, must not fill the daemon's memory.
 * Archives (`pack`, `export`, `diff`) are streamed and have no limit here.
 */
export const answerLimitBytes = {
  stat: 64 << 10,
  size: 64,
  changes: 64 << 20,
  processes: 16 << 20,
  mount: 4 << 10,
  show: 4 << 10,
} as const;
const codes: ReadonlySet<string> = new Set([...callerErrorCodes, ...engineErrorCodes]);

/** The error that the tool's line `CODE message` tells. */
export function layerToolError(complaint: string): TwofoldError {
  const line = complaint.trim().split('\n').at(-1) ?? '';
  const space = line.indexOf(' ');
  const code = line.slice(0, space);
  if (codes.has(code)) return new TwofoldError(code as ErrorCode, line.slice(space + 1));
  return new TwofoldError('internal', 'The layer tool ended unexpectedly.', { cause: new Error(line) });
}

/** Starts `program` (the path of twofold-layer) with a verb and its words. Disposing kills it and waits for its end. */
export function runLayerTool(
  program: string,
  words: readonly [string, ...string[]],
  signal: AbortSignal,
): LayerToolRun {
  const child = spawn(program, words, {
    cwd: '/',
    env: {},
    stdio: ['pipe', 'pipe', 'pipe'],
    signal,
    killSignal: 'SIGKILL',
  });
  const complaint: Buffer[] = [];
  let complaintBytes = 0;
  child.stderr.on('data', (part: Buffer) => {
    complaintBytes += part.length;
    if (complaintBytes <= maxComplaintBytes) complaint.push(part);
  });
  // Node reads on and throws away, at a child's end, what nobody has begun to read: a short output would be empty for
  // whoever comes to it late.
  const output = new PassThrough({ highWaterMark: outputBufferBytes });
  pipeline(child.stdout, output, () => undefined); // its reader gets the error
  child.stdin.on('error', () => undefined); // a tool that stops reading says why by its end
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  const { promise: gone, resolve: setGone } = Promise.withResolvers<void>();
  child.once('error', (error) => {
    reject(
      signal.aborted
        ? new TwofoldError('cancelled', `The layer tool's ${words[0]} was cancelled.`, { cause: error })
        : new TwofoldError('internal', 'Could not start the layer tool.', { cause: error }),
    );
    if (child.pid === undefined) setGone();
  });
  // `close`, not `exit`: by then its output has been read.
  child.once('exit', () => setGone());
  child.once('close', (code) => {
    if (code === 0) resolve();
    else reject(layerToolError(Buffer.concat(complaint).toString('utf8')));
  });
  done.catch(() => undefined);
  return {
    stdin: child.stdin,
    stdout: output as AsyncIterable<Buffer>,
    done,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      child.stdin.destroy();
      child.stdout.destroy();
      await gone;
    },
  };
}

/** Runs a verb that takes no input, and gives back what it said. */
export async function runLayerVerb(
  program: string,
  words: readonly [keyof typeof answerLimitBytes, ...string[]],
  signal: AbortSignal,
): Promise<Buffer> {
  await using run = runLayerTool(program, words, signal);
  run.stdin.end();
  const said = await collect(run.stdout, answerLimitBytes[words[0]]);
  await run.done;
  return said;
}
