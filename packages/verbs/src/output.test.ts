import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain } from './failure.ts';
import { renderTable } from './output.ts';

test('a table has a line for each row and commands no terminal, whatever a cell holds', () => {
  assert.equal(
    renderTable(['NAME', 'COMMAND'], [['one', '"a\nb\x1b[2J"']]),
    ['NAME   COMMAND', 'one    "a b\\x1b[2J"'].join('\n'),
  );
});

test('a failure commands no terminal either, whoever told it and why', async () => {
  let told = '';
  const output = { colours: false, columns: 80, write: async (text: string) => void (told += text) };
  const cause = new Error('it has a file \x1b[31m');
  const client = { stdout: output, stderr: output } as unknown as Parameters<typeof explain>[1];
  const error = Object.assign(new Error('no \x07', { cause }), { stack: 'Error: no \x07' });
  assert.equal(await explain(error, client), 1);
  assert.equal(told, 'twofold: Error: no \\x07\n  because: it has a file \\x1b[31m\n');
});
