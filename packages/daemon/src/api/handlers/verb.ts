// Owns POST /twofold/verb: a command line of the CLI's, run here for a client that is too small to run it
// (native/front). What the verbs do is packages/verbs'; here are the bounds and the stream.

import * as v from 'valibot';
import { readJson } from '../body.ts';
import type { Context, VerbOutput } from '../context.ts';
import { writePiece } from '../respond.ts';
import { frameHeader, verbStreamType } from '../stream-frames.ts';

/** Enough for `rm` of every container that a machine can have. */
const maxWords = 10_000;
const maxWordLength = 65_536;

const output = v.strictObject({
  Colours: v.optional(v.boolean(), false),
  Columns: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535))),
});
const verbRequest = v.strictObject({
  Words: v.pipe(v.array(v.pipe(v.string(), v.maxLength(maxWordLength))), v.maxLength(maxWords)),
  Stdout: v.optional(output, {}),
  Stderr: v.optional(output, {}),
});

/** The head goes with the first output: words that are no verb are still an ordinary 400. */
export async function runVerb(context: Context): Promise<void> {
  const { response, signal } = context;
  const { Words, Stdout, Stderr } = await readJson(context, verbRequest);
  response.setHeader('Content-Type', verbStreamType);
  const send = async (stream: 'stdout' | 'stderr' | 'exit', data: Buffer): Promise<void> => {
    if (signal.aborted) return; // the verb itself is told by the signal
    await writePiece(response, Buffer.concat([frameHeader(stream, data.length), data]), signal).catch((error) => {
      if (!signal.aborted) throw error;
    });
  };
  const outputOf = (stream: 'stdout' | 'stderr', { Colours, Columns }: v.InferOutput<typeof output>): VerbOutput => ({
    write: (text) => send(stream, Buffer.from(text)),
    colours: Colours,
    columns: Columns,
  });
  const code = await context.runVerb(Words, {
    stdout: outputOf('stdout', Stdout),
    stderr: outputOf('stderr', Stderr),
    signal,
  });
  await send('exit', Buffer.of(code));
  response.end();
}
