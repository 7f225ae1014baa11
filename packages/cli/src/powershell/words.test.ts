import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pwshWords } from './words.ts';

const at = (isTerminal: boolean) => ({ module: "/it's/Containers", isTerminal });
const load = "Import-Module '/it''s/Containers'";

test('without words there is a prompt that has the module, and a script where nobody types', () => {
  assert.deepEqual(pwshWords([], at(true)), ['-NoLogo', '-NoExit', '-Command', load]);
  const read = `${load}; . ([scriptblock]::Create(@($input) -join "\`n"))`;
  for (const words of [[], ['-'], ['-Command', '-']])
    assert.deepEqual(pwshWords(words, at(false)), ['-NoLogo', '-Command', read]);
});

test('a command and a file have the module, behind options that may be cut short', () => {
  assert.deepEqual(pwshWords(['-nop', '-c', 'Get-Container', 'x'], at(true)), [
    '-NoLogo',
    '-nop',
    '-Command',
    `${load}; Get-Container x`,
  ]);
  const called = `${load}; & 'a b.ps1' -Name 'it''s' '5'; exit $LASTEXITCODE`;
  for (const words of [
    ['-WorkingDirectory', '/tmp', '-File', 'a b.ps1', '-Name', "it's", '5'],
    ['-WorkingDirectory', '/tmp', 'a b.ps1', '-Name', "it's", '5'],
  ])
    assert.deepEqual(pwshWords(words, at(true)), ['-NoLogo', '-WorkingDirectory', '/tmp', '-Command', called]);
});

test("words that are not a session's go to pwsh as they are", () => {
  for (const words of [['-Version'], ['--help'], ['-EncodedCommand', 'MQA='], ['-s'], ['-File']])
    assert.deepEqual(pwshWords(words, at(true)), words);
});
