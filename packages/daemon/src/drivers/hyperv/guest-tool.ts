// Owns running the layer tool inside a guest: its words there, its streams as a ToolRun. What comes back is hostile
// until checked by its readers.

import { FrameType, Tag, TlvWriter, TwofoldError, type ContainerId } from '@twofold/contract';
import { answerLimitBytes, layerToolError } from '../../host/layer-tool.ts';
import type { SupervisorConnection } from '../../host/supervisor-connection.ts';
import type { FileRequest, ToolRun } from '../driver.ts';
import { guestPlaces } from './places.ts';

const maxComplaintBytes = 4096;

/** Bytes that the tool may say for a request; an archive is streamed, and as long as it is. */
export function outputLimitOf({ verb }: FileRequest): number {
  return verb === 'stat' || verb === 'changes' || verb === 'size' ? answerLimitBytes[verb] : Infinity;
}

/** Pure: the tool's words for a request. */
export function toolWords(container: ContainerId, layers: number, request: FileRequest): string[] {
  const places = guestPlaces(container);
  const below = Array.from({ length: layers }, (_, index) => places.layer(index + 1));
  switch (request.verb) {
    case 'pack':
    case 'stat':
      return [request.verb, places.root, request.path];
    case 'unpack':
      return [
        'unpack',
        places.root,
        request.path,
        ...(request.noOverwriteDirNonDir ? ['--no-overwrite-dir-non-dir'] : []),
        ...(request.copyUidGid ? ['--copy-uid-gid'] : []),
      ];
    case 'export':
      return ['export', places.root];
    case 'changes':
      return ['changes', places.upper, ...below];
    case 'size':
      return ['size', places.upper];
    case 'diff':
      return ['diff', places.upper, '--over', ...below, '--form', request.form];
  }
  return request satisfies never;
}

/** Starts the tool in the guest; more output than `limitBytes` is an error. Disposing kills it. */
export async function runGuestTool(
  connection: SupervisorConnection,
  words: readonly string[],
  limitBytes: number,
  signal: AbortSignal,
): Promise<ToolRun> {
  const payload = new TlvWriter().strings(Tag.ARG, words).flag(Tag.STDIN, true);
  const { streams } = await connection.openStreams(FrameType.TOOL, payload, { stdin: true, output: true }, signal);
  const complaint: Buffer[] = [];
  let complaintBytes = 0;
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  done.catch(() => undefined);
  let outputBytes = 0;
  const letGo = () => void streams[Symbol.asyncDispose]();
  signal.addEventListener('abort', letGo, { once: true });
  async function* stdout(): AsyncGenerator<Buffer, void, undefined> {
    try {
      for await (const { stream, data } of streams.output) {
        if (stream === 'stdout') {
          if ((outputBytes += data.length) > limitBytes)
            throw new TwofoldError('protocol', 'The guest sent more than is allowed.');
          yield data;
        } else if ((complaintBytes += data.length) <= maxComplaintBytes) complaint.push(data);
      }
      const { code } = await streams.exit;
      if (code === 0) resolve();
      else reject(layerToolError(Buffer.concat(complaint).toString('utf8')));
    } catch (error) {
      reject(error);
      throw error;
    }
  }
  return {
    stdin: streams.stdin!,
    stdout: stdout(),
    done,
    async [Symbol.asyncDispose]() {
      signal.removeEventListener('abort', letGo);
      await streams[Symbol.asyncDispose]();
    },
  };
}
