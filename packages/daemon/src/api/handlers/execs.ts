// Owns the exec verbs: create, start (with and without taking over the connection), resize, inspect.

import { isTwofoldError, TwofoldError } from '@twofold/contract';
import type { Attachment, ExecRecord } from '../../engine/engine.ts';
import { parseJson, readJson } from '../body.ts';
import { changeLimitMs, type Caller, type Context } from '../context.ts';
import { execRequest, execStart } from '../create/schema.ts';
import { parseDetachKeys } from '../detach-keys.ts';
import { joinStreams, sendPiece } from '../hijack.ts';
import { renderError } from '../render-error.ts';
import { beginStream, sendEmpty, sendJson } from '../respond.ts';
import type { HijackContext } from '../routes.ts';
import { frameHeader, rawStreamType, streamType } from '../stream-frames.ts';
import { acceptUpgrade } from '../upgrade.ts';
import { terminalSize } from './container-life.ts';
import { sendOutput } from './container-streams.ts';

export async function createExec(context: Context): Promise<void> {
  const request = await readJson(context, execRequest);
  if (request.Cmd === undefined || request.Cmd.length === 0)
    throw new TwofoldError('invalid-argument', 'No exec command specified');
  if (request.DetachKeys !== undefined) parseDetachKeys(request.DetachKeys);
  sendJson(context, { Id: await context.engine.execs.create(context.parameters['name']!, request) }, 201);
}

type StartBody = ReturnType<typeof readStart>;

function readStart(context: HijackContext) {
  return parseJson(context.body, context.request, execStart, { empty: true });
}

function sizeOf(body: StartBody): { consoleSize?: { rows: number; columns: number } } {
  return body.ConsoleSize === undefined
    ? {}
    : { consoleSize: { rows: body.ConsoleSize[0], columns: body.ConsoleSize[1] } };
}

interface Framing {
  readonly multiplexed: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** Which output was asked for at the creation; how it goes out is the client's word at the start. */
function framing(body: StartBody, { request }: ExecRecord, caller: Caller): Framing {
  const raw = body.Tty || caller.request.headers.accept === rawStreamType;
  return {
    multiplexed: !raw,
    stdout: request.AttachStdout === true,
    // Without frames nobody could tell the two streams apart (docs/api-extensions.md).
    stderr: request.AttachStderr === true && !raw,
  };
}

/**
 * With the connection taken over. The head goes first, as with dockerd: clients that read it together with what follows
 * would lose output that came along. What fails after it is told in the stream, and by the exec's exit code.
 */
export async function startExec(context: HijackContext): Promise<void> {
  const { socket, engine, minor } = context;
  const body = readStart(context);
  const record = engine.execs.startable(context.parameters['id']!);
  if (body.Detach) {
    await engine.execs.start(record.id, { detach: true }, context.lasting(changeLimitMs));
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    context.accepted();
    return;
  }
  const tty = record.request.Tty === true;
  const keys = tty ? parseDetachKeys(record.request.DetachKeys) : null;
  const form = framing(body, record, context);
  const { multiplexed } = form;
  acceptUpgrade(socket, context.request, streamType(multiplexed, minor));
  context.accepted((message) => sendPiece(socket, multiplexed ? 'stdout' : null, failureText(message)));
  await using attachment = await startAttached(context, record, body);
  await joinStreams(
    socket,
    { ...attachment, output: wantedOf(attachment.output, form) },
    { multiplexed, detachKeys: keys, endsInput: !tty, hangUp: context.hangUp },
  );
}

const failureText = (message: string): Buffer => Buffer.from(`${message}\r\n`);

async function startAttached({ engine, signal }: Caller, record: ExecRecord, body: StartBody): Promise<Attachment> {
  const attachment = await engine.execs.start(record.id, { detach: false, ...sizeOf(body) }, signal);
  if (attachment === null) throw new TwofoldError('internal', 'An exec that was not detached has no streams.');
  return attachment;
}

/** The rest is read and dropped, or it would hold up the process. A terminal has only `stdout`. */
function wantedOf(output: Attachment['output'], { stdout, stderr }: Framing): Attachment['output'] {
  if (stdout && stderr) return output;
  return (async function* () {
    for await (const chunk of output) if (chunk.stream === 'stdout' ? stdout : stderr) yield chunk;
  })();
}

/** Without taking over the connection: detached, or output only. */
export async function startWithoutUpgrade(context: Context): Promise<void> {
  const body = await readJson(context, execStart, { empty: true });
  const record = context.engine.execs.startable(context.parameters['id']!);
  if (body.Detach) {
    await context.engine.execs.start(record.id, { detach: true }, context.lasting(changeLimitMs));
    return sendEmpty(context, 200);
  }
  if (record.request.AttachStdin === true)
    throw new TwofoldError(
      'invalid-argument',
      'An exec with stdin needs a dedicated connection: send "Connection: Upgrade" and "Upgrade: tcp".',
    );
  const form = framing(body, record, context);
  const { multiplexed } = form;
  beginStream(context, streamType(multiplexed, context.minor));
  try {
    await using attachment = await startAttached(context, record, body);
    await sendOutput(context, wantedOf(attachment.output, form), !multiplexed);
  } catch (error) {
    if (!isTwofoldError(error)) throw error;
    const text = failureText(renderError(error, 0).message);
    context.response.write(multiplexed ? Buffer.concat([frameHeader('stdout', text.length), text]) : text);
  }
  context.response.end();
}

export async function resizeExec(context: Context): Promise<void> {
  await context.engine.execs.resize(context.parameters['id']!, terminalSize(context));
  sendEmpty(context, 200);
}

export function inspectExec(context: Context): void {
  const { id, container, request, life } = context.engine.execs.find(context.parameters['id']!);
  const words = request.Cmd ?? [];
  sendJson(context, {
    ID: id,
    ContainerID: container,
    Running: life.at === 'running',
    ExitCode: life.at === 'exited' ? life.exitCode : null,
    Pid: life.at === 'created' ? 0 : life.pid,
    ProcessConfig: {
      tty: request.Tty ?? false,
      entrypoint: words[0] ?? '',
      arguments: words.slice(1),
      privileged: request.Privileged ?? false,
      user: request.User ?? '',
    },
    OpenStdin: request.AttachStdin ?? false,
    OpenStdout: request.AttachStdout ?? false,
    OpenStderr: request.AttachStderr ?? false,
    CanRemove: false,
    DetachKeys: request.DetachKeys ?? '',
  });
}
