// `twofold powershell` where nobody types: commands, files and scripts on standard input have the module, and end as
// they say. What a person types is prompt.test.ts's and sessions.test.ts's.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { command } from '../support/command.ts';
import { noPowerShell, quietly } from '../support/powershell.ts';

const CLI = join(import.meta.dirname, '../../packages/cli/src/main.ts');

describe('twofold powershell', { skip: noPowerShell }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'tfc-'));
  after(() => rmSync(directory, { recursive: true }));
  const run = async (words: readonly string[], input?: string) => {
    const { code, stdout } = await command(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', CLI, 'powershell', ...words],
      { env: { ...process.env, ...quietly, NO_COLOR: '1' }, ...(input === undefined ? {} : { input }) },
    );
    return [code, stdout];
  };
  const isThere = '(Get-Module Containers).Name';

  test('a command has the module; its exit code, an uncaught error and a failed last command make the exit code', async () => {
    assert.deepEqual(await run(['-NoProfile', '-Command', `${isThere}; exit 7`]), [7, 'Containers\n']);
    assert.deepEqual(await run(['-NoProfile', '-c', 'throw "x"']), [1, '']);
    assert.deepEqual(await run(['-NoProfile', '-c', 'Get-Nothing']), [1, '']);
    assert.deepEqual(await run(['-NoProfile', '-c', 'Get-Nothing; 1']), [0, '1\n']);
  });

  test('a file has the module and its arguments, and ends as it says', async () => {
    const file = join(directory, "it's a script.ps1");
    const parameters = 'param($Name, [switch]$Loud, [Parameter(ValueFromRemainingArguments)]$Rest)';
    writeFileSync(file, `${parameters}\n"$Name $Loud $Rest ${'$'}(${isThere})"\nexit 5\n`);
    const expected = [5, "some 'name' True a b Containers\n"];
    assert.deepEqual(await run(['-NoProfile', '-File', file, '-Name', "some 'name'", '-Loud', 'a', 'b']), expected);
  });

  test('a script on standard input has the module, and ends as it says', async () => {
    const text = `if ($true) {\n  "read"\n}\n${isThere}\nexit 4\n`;
    for (const words of [['-NoProfile'], ['-NoProfile', '-Command', '-']])
      assert.deepEqual(await run(words, text), [4, 'read\nContainers\n']);
  });
});
