// Owns a run of the layer tool in a sandbox: which words it is given for a verb, and how its error line becomes an
// error.

import { FrameType, Tag, TlvWriter, TwofoldError } from '@twofold/contract';
import { errorFrom } from '../../host/conversation.ts';
import type { SupervisorConnection } from '../../host/supervisor-connection.ts';
import type { FileRequest, ToolRun } from '../driver.ts';

/** The error line at the end of what a tool says, and no more. */
const errorBytes = 4096;

export interface ToolPlace {
  readonly tool: string;
  /** The container's `/` as the supervisor sees it. */
  readonly root: string;
  readonly upper: string;
  /** Mounted layers, top first. */
  readonly layers: readonly string[];
}

/** The tool's command line for a request. Pure. */
export function toolWords(request: FileRequest, place: ToolPlace): string[] {
  switch (request.verb) {
    case 'pack':
    case 'stat':
      return [place.tool, request.verb, place.root, request.path];
    case 'unpack':
      return [
        place.tool,
        'unpack',
        place.root,
        request.path,
        ...(request.noOverwriteDirNonDir ? ['--no-overwrite-dir-non-dir'] : []),
        ...(request.copyUidGid ? ['--copy-uid-gid'] : []),
      ];
    case 'export':
      return [place.tool, 'export', place.root];
    case 'changes':
      return [place.tool, 'changes', place.upper, ...place.layers];
    case 'size':
      return [place.tool, 'size', place.upper];
    case 'diff':
      return [place.tool, 'diff', place.upper, '--over', ...place.layers, '--form', request.form];
  }
}

/** Starts it. `onEnd` runs once, whether it ended well or was let go. */
export async function runTool(
  connection: SupervisorConnection,
  request: FileRequest,
  place: ToolPlace,
  signal: AbortSignal,
  onEnd: () => Promise<void> = async () => undefined,
): Promise<ToolRun> {
  const payload = new TlvWriter().strings(Tag.ARG, toolWords(request, place)).flag(Tag.STDIN, true);
  const { streams } = await connection.openStreams(FrameType.TOOL, payload, { stdin: true, output: true }, signal);
  const done = Promise.withResolvers<void>();
  done.promise.catch(() => undefined);
  let ended: Promise<void> | null = null;
  const end = () => (ended ??= onEnd());
  let said = Buffer.alloc(0);

  async function* stdout(): AsyncGenerator<Buffer, void, undefined> {
    try {
      for await (const { stream, data } of streams.output) {
        if (stream === 'stdout') yield data;
        else said = Buffer.concat([said, data]).subarray(-errorBytes);
      }
      const { code } = await streams.exit;
      await end();
      if (code === 0) done.resolve();
      else done.reject(toolError(said.toString('utf8')));
    } catch (error) {
      done.reject(error);
      throw error;
    } finally {
      // Also when the reader breaks off: the tool then ends with its conversation.
      await streams[Symbol.asyncDispose]();
      await end();
      done.reject(new TwofoldError('cancelled', 'The work on the container’s files was cancelled.'));
    }
  }

  return {
    stdin: streams.stdin!,
    stdout: stdout(),
    done: done.promise,
    async [Symbol.asyncDispose]() {
      await streams[Symbol.asyncDispose]();
      await end();
      done.reject(new TwofoldError('cancelled', 'The work on the container’s files was cancelled.'));
    },
  };
}

/** `CODE message` on the last line. */
function toolError(said: string): TwofoldError {
  const line = said.trim().split('\n').at(-1) ?? '';
  const space = line.indexOf(' ');
  return space > 0
    ? errorFrom(line.slice(0, space), line.slice(space + 1))
    : new TwofoldError('internal', 'The layer tool failed without giving a reason.');
}
