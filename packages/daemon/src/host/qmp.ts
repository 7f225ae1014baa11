// Owns QEMU's monitor protocol over a borrowed conversation with the supervisor: commands in, their answers out, events
// ignored.

import { FrameType, Tag, TwofoldError, TlvWriter } from '@twofold/contract';
import type { SupervisorConnection } from './supervisor-connection.ts';

/** A file that the supervisor opens and hands to QEMU, which then knows it as /dev/fdset/<set>. */
export interface QmpFile {
  readonly set: number;
  readonly path: string;
  readonly writable: boolean;
}

export interface QmpCommand {
  readonly execute: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

const timeoutMs = 60_000;
/** QEMU's answers are a few hundred bytes; the supervisor passes on no longer line. */
const longestLineBytes = 1 << 20;

/**
 * Hands over files, then runs the commands one after the other; each must make no sense when the one before it failed.
 * Gives what they returned, throws at the first that QEMU refuses.
 */
export async function runQmp(
  connection: SupervisorConnection,
  doing: string,
  files: readonly QmpFile[],
  commands: readonly QmpCommand[],
  signal: AbortSignal,
): Promise<unknown[]> {
  const payload = new TlvWriter();
  for (const file of files)
    payload.list(Tag.FILE, (list) =>
      list
        .string(Tag.PATH, file.path)
        .number(Tag.OFFSET, file.set)
        .number(Tag.FLAGS, file.writable ? 1 : 0),
    );
  const within = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const { streams } = await connection.openStreams(FrameType.QMP, payload, { stdin: true, output: true }, within);
  await using _ = streams;
  const letGo = () => void streams[Symbol.asyncDispose]();
  within.addEventListener('abort', letGo, { once: true });
  try {
    const answers = linesOf(streams.output);
    const returned: unknown[] = [];
    // All at once: QEMU takes them in order, and one that follows a refused one is refused with it.
    streams.stdin!.write(commands.map((command, id) => `${JSON.stringify({ ...command, id })}\n`).join(''));
    for (const [id, command] of commands.entries()) returned.push(await answerTo(answers, id, doing, command));
    return returned;
  } finally {
    within.removeEventListener('abort', letGo);
  }
}

async function answerTo(
  answers: AsyncGenerator<string>,
  id: number,
  doing: string,
  command: QmpCommand,
): Promise<unknown> {
  for (;;) {
    const { value, done } = await answers.next();
    if (done === true) throw new TwofoldError('cancelled', `Could not ${doing}: the VM's monitor stopped answering.`);
    const answer = parse(value);
    if (answer.id !== id) continue; // an event, or the answer to somebody who has gone
    if (answer.error !== undefined)
      throw new TwofoldError('sandbox-failed', `Could not ${doing}.`, {
        cause: new Error(`${command.execute}: ${answer.error.desc ?? 'no reason given'}`),
      });
    return answer.return;
  }
}

interface Answer {
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly desc?: string };
}

function parse(line: string): Answer {
  try {
    return JSON.parse(line) as Answer;
  } catch (cause) {
    throw new TwofoldError('protocol', "The VM's monitor sent something that is not JSON.", { cause });
  }
}

async function* linesOf(output: AsyncIterable<{ data: Buffer }>): AsyncGenerator<string, void, undefined> {
  let pieces: Buffer[] = [];
  let held = 0;
  for await (const { data } of output) {
    pieces.push(data);
    held += data.length;
    if (!data.includes(0x0a)) {
      if (held > longestLineBytes) throw new TwofoldError('protocol', "The VM's monitor sent a line without an end.");
      continue;
    }
    const whole = Buffer.concat(pieces);
    const end = whole.lastIndexOf(0x0a);
    pieces = [whole.subarray(end + 1)];
    held = pieces[0]!.length;
    for (const line of whole.toString('utf8', 0, end).split('\n')) if (line.trim() !== '') yield line;
  }
}
