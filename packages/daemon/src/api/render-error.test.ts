import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { callerErrorCodes, engineErrorCodes, TwofoldError } from '@twofold/contract';
import { renderError, statusOf } from './render-error.ts';

test('codes, statuses and docs/errors.md say the same', () => {
  const page = readFileSync(new URL('../../../../docs/errors.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \| (\d+) \|/gm)].map((row) => [row[1], Number(row[2])]);
  assert.deepEqual(
    rows.map((row) => row[0]),
    [...callerErrorCodes, ...engineErrorCodes],
  );
  assert.deepEqual(Object.fromEntries(rows), statusOf);
});

test('a missing command is told in the words that make docker exit with 127', () => {
  const rendered = renderError(new TwofoldError('command-not-found', 'Could not start "nope".'), 1);
  assert.deepEqual(rendered, {
    status: 400,
    code: 'command-not-found',
    message: 'Could not start "nope": executable file not found in $PATH',
    ours: false,
  });
});

test('an error that nobody raised on purpose keeps its text to itself', () => {
  const rendered = renderError(new Error('secret'), 7);
  assert.equal(rendered.status, 500);
  assert.ok(!rendered.message.includes('secret'));
  assert.match(rendered.message, /request 7/);
});
