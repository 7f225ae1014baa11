import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signalNumber, stopSignalOf } from './signals.ts';

test('a signal is a name with or without SIG, in any case, a number, or one of the real-time signals', () => {
  const numbers = { TERM: 15, SIGKILL: 9, sigint: 2, CLD: 17, '64': 64, 'RTMIN+3': 37, SIGRTMIN: 34, 'rtmax-14': 50 };
  for (const [text, number] of Object.entries(numbers)) assert.equal(signalNumber(text), number, text);
  for (const text of ['', 'XX', '0', '65', '-1', '1.5', 'RTMIN+31', 'SIGSIGTERM', 'toString'])
    assert.throws(() => signalNumber(text), { code: 'invalid-argument', message: `Invalid signal: ${text}` });
});

test('a stop signal that is none is TERM', () => {
  assert.deepEqual(
    [{ StopSignal: 'INT' }, { StopSignal: 'XX' }, { StopSignal: '' }, {}].map(stopSignalOf),
    [2, 15, 15, 15],
  );
});
