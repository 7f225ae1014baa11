import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TwofoldError } from './errors.ts';
import { printable } from './printable.ts';

test('what a terminal would take for a command is shown, and all other words are as they were', () => {
  assert.equal(printable('\x1b]0;title\x07 \x9b31m \r\0\x7f'), '\\x1b]0;title\\x07 \\x9b31m \\x0d\\x00\\x7f');
  assert.equal(printable('ä 𝄞 "quoted"\n\ttabbed'), 'ä 𝄞 "quoted"\n\ttabbed');
});

test('no error says anything else, wherever its words are from', () => {
  const error = new TwofoldError('path-not-found', 'Could not find the file /a\x1b[2Jb.');
  assert.equal(error.message, 'Could not find the file /a\\x1b[2Jb.');
});
