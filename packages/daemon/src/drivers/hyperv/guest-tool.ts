// Owns running the layer tool inside a guest: its words there, its streams as a ToolRun. What comes back is hostile
// until checked by its readers.

import { FrameType, Tag, TlvWriter, TwofoldError, type ContainerId } from '@twofold/contract';
import { layerToolError } from '../../host/layer-tool.ts';
import type { SupervisorConnection } from '../../host/supervisor-connection.ts';
import type { FileRequest, ToolRun } from '../driver.ts';
import { guestPlaces } from './places.ts';

const maxComplaintBytes = 4096;
/**
 * What is read whole by whoever asks: a guest must not fill the daemon's memory. Archives are streamed and have no
 * limit here.
 */
const maxOutputBytes: Readonly<Record<string, number>> = { stat: 64 << 10, changes: 64 << 20, processes: 16 << 20 };

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
    case 'diff':
      return ['diff', places.upper, '--over', ...below, '--form', request.form];
  }
  return request satisfies never;
}

/** Starts the tool in the guest. Disposing kills it. */
export async function runGuestTool(
  connection: SupervisorConnection,
  words: readonly string[],
  signal: AbortSignal,
): Promise<ToolRun> {
  const payload = new TlvWriter().strings(Tag.ARG, words).flag(Tag.STDIN, true);
  const { streams } = await connection.openStreams(FrameType.TOOL, payload, { stdin: true, output: true }, signal);
  const complaint: Buffer[] = [];
  let complaintBytes = 0;
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  done.catch(() => undefined);
  const limit = maxOutputBytes[words[0]!] ?? Infinity;
  let outputBytes = 0;
  const letGo = () => void streams[Symbol.asyncDispose]();
  signal.addEventListener('abort', letGo, { once: true });
  async function* stdout(): AsyncGenerator<Buffer, void, undefined> {
    try {
      for await (const { stream, data } of streams.output) {
        if (stream === 'stdout') {
          if ((outputBytes += data.length) > limit)
            throw new TwofoldError('protocol', 'The guest said more than there can be to say.');
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
