// Owns attach and logs: what is asked for, which framing, and when logs are replayed. hijack.ts joins the streams.

import { once } from 'node:events';
import { TwofoldError } from '@twofold/contract';
import type { Attachment, ContainerRecord, LogLine } from '../../engine/engine.ts';
import type { Caller, Context } from '../context.ts';
import { parseDetachKeys } from '../detach-keys.ts';
import { endSocket, joinStreams, sendPiece } from '../hijack.ts';
import { beginStream, writePiece } from '../respond.ts';
import type { HijackContext } from '../routes.ts';
import { frameHeader, streamType } from '../stream-frames.ts';
import { acceptUpgrade } from '../upgrade.ts';

function wanted({ query }: Caller): {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  stream: boolean;
  logs: boolean;
} {
  return {
    stdin: query.flag('stdin'),
    stdout: query.flag('stdout'),
    stderr: query.flag('stderr'),
    stream: query.flag('stream'),
    logs: query.flag('logs'),
  };
}

function find({ engine, parameters }: Caller): ContainerRecord {
  const record = engine.containers.find(parameters['name']!);
  if (record.life.at === 'paused')
    throw new TwofoldError(
      'container-paused',
      `Container ${record.name} is paused. Unpause the container before attach`,
    );
  return record;
}

/** POST /containers/{name}/attach of a client that takes over its connection. */
export async function attach(context: HijackContext): Promise<void> {
  const want = wanted(context);
  const keys = parseDetachKeys(context.query.text('detachKeys'));
  const record = find(context);
  const tty = record.config.Tty === true;
  const { socket, signal } = context;
  // Attached before the log is read: a line may come twice at the seam, but none is missed. Held from here on: an
  // attachment that nobody reads would stop the container's output.
  await using attachment = await open(context, record, want, signal);
  const replay = want.logs ? wholeLog(context, record, want) : null;
  acceptUpgrade(socket, context.request, streamType(!tty, context.minor));
  context.accepted();
  if (replay !== null) {
    for await (const line of replay) {
      if (!sendPiece(socket, tty ? null : line.stream, line.data))
        await once(socket, 'drain', { signal }).catch(() => undefined);
      if (signal.aborted) return;
    }
  }
  if (attachment === null) return endSocket(socket);
  await joinStreams(socket, attachment, {
    multiplexed: !tty,
    detachKeys: tty ? keys : null,
    endsInput: record.config.StdinOnce === true && !tty,
    inputOnly: !want.stdout && !want.stderr,
    hangUp: context.hangUp,
  });
}

/**
 * The same without `Upgrade: tcp`: an ordinary answer that streams output. Input is refused, for what follows a request
 * on a connection that was not upgraded is the next request.
 */
export async function attachWithoutUpgrade(context: Context): Promise<void> {
  const want = wanted(context);
  if (want.stdin && want.stream)
    throw new TwofoldError(
      'invalid-argument',
      'Attaching stdin needs a dedicated connection: send "Connection: Upgrade" and "Upgrade: tcp".',
    );
  const record = find(context);
  const tty = record.config.Tty === true;
  await using attachment = await open(context, record, { ...want, stdin: false }, context.signal);
  const replay = want.logs ? wholeLog(context, record, want) : null;
  beginStream(context, streamType(!tty, context.minor));
  if (replay !== null) await sendLines(context, tty, replay, (line) => line.data);
  if (attachment !== null) await sendOutput(context, attachment.output, tty);
  context.response.end();
}

type Want = ReturnType<typeof wanted>;

/** Null where only the log was asked for, or no stream at all. */
async function open(
  { engine }: Caller,
  record: ContainerRecord,
  { stream, stdin, stdout, stderr }: Want,
  signal: AbortSignal,
): Promise<Attachment | null> {
  if (!stream || (!stdin && !stdout && !stderr)) return null;
  return engine.containers.attach(record.id, { stdin, stdout, stderr }, signal);
}

/** Throws at once where there is no log to read. */
function wholeLog({ engine, signal }: Caller, record: ContainerRecord, { stdout, stderr }: Want) {
  return engine.containers.logs(record.id, { stdout, stderr, follow: false, tail: 'all' }, signal);
}

/**
 * Streams output through an ordinary answer, framed where there is no terminal, until it ends or the client is gone.
 */
export async function sendOutput(
  context: Context,
  output: AsyncIterable<{ stream: 'stdout' | 'stderr'; data: Buffer }>,
  tty: boolean,
): Promise<void> {
  const iterator = output[Symbol.asyncIterator]();
  for (;;) {
    const next = await nextUnlessGone(iterator, context.signal);
    if (next === null || next.done === true) return;
    await writePiece(
      context.response,
      tty ? next.value.data : Buffer.concat([frameHeader(next.value.stream, next.value.data.length), next.value.data]),
      context.signal,
    );
  }
}

/**
 * Null when the client goes first. Its own listener for each piece: a race with one lasting promise would keep every
 * piece until the end.
 */
async function nextUnlessGone<T>(iterator: AsyncIterator<T>, signal: AbortSignal): Promise<IteratorResult<T> | null> {
  const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<T> | null>();
  const gone = () => resolve(null);
  if (signal.aborted) gone();
  signal.addEventListener('abort', gone, { once: true });
  iterator.next().then(resolve, reject);
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', gone);
  }
}

async function sendLines(
  context: Context,
  tty: boolean,
  lines: AsyncIterable<LogLine>,
  render: (line: LogLine) => Buffer,
): Promise<void> {
  for await (const line of lines) {
    const data = render(line);
    await writePiece(
      context.response,
      tty ? data : Buffer.concat([frameHeader(line.stream, data.length), data]),
      context.signal,
    );
  }
}

/** GET /containers/{name}/logs. */
export async function logs(context: Context): Promise<void> {
  const { query } = context;
  const [stdout, stderr] = [query.flag('stdout'), query.flag('stderr')];
  if (!stdout && !stderr)
    throw new TwofoldError('invalid-argument', 'Bad parameters: you must choose at least one stream');
  const record = context.engine.containers.find(context.parameters['name']!);
  const since = query.time('since');
  const until = query.time('until');
  const options = {
    stdout,
    stderr,
    follow: query.flag('follow'),
    tail: tailOf(query.text('tail')),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
  if (record.hostConfig.LogConfig?.Type === 'none')
    throw new TwofoldError('unsupported', 'configured logging driver does not support reading');
  const tty = record.config.Tty === true;
  const lines = context.engine.containers.logs(record.id, options, context.signal);
  beginStream(context, streamType(!tty, context.minor));
  const [times, details] = [query.flag('timestamps'), query.flag('details')];
  // No log option of ours adds attributes, so Docker's details are the empty word before each line.
  await sendLines(context, tty, lines, (line) =>
    times || details
      ? Buffer.concat([Buffer.from(`${times ? `${line.time} ` : ''}${details ? ' ' : ''}`), line.data])
      : line.data,
  );
  context.response.end();
}

/** A number of lines; everything else, as with Docker, is all of them. */
function tailOf(text: string | undefined): number | 'all' {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : 'all';
}
