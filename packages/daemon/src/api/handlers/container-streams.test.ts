import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Context } from '../context.ts';
import { sendOutput } from './container-streams.ts';

const contextOf = (signal: AbortSignal): Context =>
  ({ signal, response: new Writable({ write: (_chunk, _encoding, done) => done() }) }) as unknown as Context;

test('output that has been sent is not kept in memory', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const sent: WeakRef<Buffer>[] = [];
  let kept = Number.POSITIVE_INFINITY;
  async function* output() {
    for (let piece = 0; piece < 200; piece++) {
      const data = Buffer.alloc(64 << 10);
      sent.push(new WeakRef(data));
      yield { stream: 'stdout' as const, data };
    }
    await new Promise((resolve) => setImmediate(resolve)); // a reference that was looked at lives until the turn ends
    collect();
    kept = sent.filter((piece) => piece.deref() !== undefined).length;
  }
  await sendOutput(contextOf(new AbortController().signal), output(), true);
  assert.ok(kept < 20, `${kept} of 200 pieces are kept`);
});

test('a client that goes ends the sending, though nothing is said', { timeout: 5_000 }, async () => {
  const gone = new AbortController();
  const silence: AsyncIterable<{ stream: 'stdout'; data: Buffer }> = {
    [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }),
  };
  const sending = sendOutput(contextOf(gone.signal), silence, false);
  gone.abort();
  await sending;
});
