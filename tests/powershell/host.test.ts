// The host of PowerShell's engine (`twofold powershell` where there is no pwsh): its command line, its exit codes, and
// its prompt as a person uses it.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { command, type CommandResult } from '../support/command.ts';
import { host } from '../support/powershell.ts';
import { Terminal } from '../support/terminal.ts';

const run = (words: readonly string[], input?: string): Promise<CommandResult> =>
  command(host!.path, words, {
    env: { ...process.env, NO_COLOR: '1', COLUMNS: '120' },
    ...(input === undefined ? {} : { input }),
  });

describe('the PowerShell host', { skip: host === null ? 'the host is not built: there is no .NET SDK' : false }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'twofold-host-'));
  after(() => rmSync(directory, { recursive: true }));
  const script = (text: string): string => {
    const path = join(directory, 'script.ps1');
    writeFileSync(path, text);
    return path;
  };

  test("ends with a command's own exit code, with 1 after a failure, with 0 otherwise", async () => {
    const codes = await Promise.all(
      ['exit 7', 'Get-Nothing', 'throw "x"', 'Get-Nothing; 1', '1; sh -c "exit 3"', 'if ('].map(
        async (text) => (await run(['-Command', text])).code,
      ),
    );
    assert.deepEqual(codes, [7, 1, 1, 0, 1, 1]);
  });

  test('tells what is wrong with a text that is no script', async () => {
    assert.match((await run(['-Command', 'if ('])).stderr, /Missing condition in if statement/);
  });

  test('runs a file with its arguments, and ends as the file says', async () => {
    const path = script(
      'param($Name, [switch]$Loud, [Parameter(ValueFromRemainingArguments)]$Rest)\n"$Name $Loud $Rest"\nexit 5\n',
    );
    const result = await run(['-File', path, '-Name', 'some name', '-Loud', 'a', 'b']);
    assert.deepEqual([result.code, result.stdout], [5, 'some name True a b\n']);
    assert.equal((await run(['-File', join(directory, 'none.ps1')])).code, 64);
  });

  test('takes a script from standard input', async () => {
    const result = await run([], 'if ($true) {\n  "read"\n}\nexit 4\n');
    assert.deepEqual([result.code, result.stdout], [4, 'read\n']);
  });

  test('shows output on stdout, errors and warnings on stderr, without colours where there is no terminal', async () => {
    const result = await run([
      '-Command',
      'Write-Host shown -ForegroundColor Red; Write-Warning careful; Write-Error wrong; [pscustomobject]@{ Name = 1; Other = "b" }',
    ]);
    assert.equal(result.stdout, 'shown\n\nName Other\n---- -----\n   1 b\n\n');
    assert.match(result.stderr, /^WARNING: careful\nWrite-Error: wrong\n/);
  });

  test('refuses an option that it does not have', async () => {
    const result = await run(['-Wrong']);
    assert.equal(result.code, 64);
    assert.match(result.stderr, /no option -Wrong/);
  });

  test('lists the processes that the kernel lists', async () => {
    const result = await run(['-Command', 'Get-Process -Id $PID, 1 | Select-Object -ExpandProperty Id']);
    assert.match(result.stdout, /^\d+\n1\n$/);
    assert.match(
      (await run(['-Command', 'Get-Process -Name no-such-process'])).stderr,
      /Cannot find a process with the name "no-such-process"/,
    );
  });

  test('the stand-ins select, sort, group, measure and turn into JSON and back', async () => {
    const text = `
      $all = 1..5 | ForEach-Object { [pscustomobject]@{ Number = $_; Even = $_ % 2 -eq 0; Name = "n$_" } }
      $all | Where-Object Even | Select-Object -Property NUMBER, @{ Name = 'Twice'; Expression = { $_.Number * 2 } } | ConvertTo-Json -Compress
      ($all | Sort-Object -Property @{ Expression = 'Even'; Descending = $true }, Number | Select-Object -ExpandProperty Number) -join ' '
      ($all | Group-Object Even | Sort-Object Count | ForEach-Object { "$($_.Name)=$($_.Count)" }) -join ' '
      ($all | Measure-Object -Property Number -Sum -Maximum | Select-Object -First 1).Sum
      ('[{"a":[1,null,{"b":"c"}]}]' | ConvertFrom-Json).a[2].b
      ($all | Select-Object -Last 2 -ExpandProperty Name) -join ' '
      (1..1000000 | Select-Object -First 2) -join ' '`;
    assert.equal(
      (await run(['-Command', text])).stdout,
      '[{"Number":2,"Twice":4},{"Number":4,"Twice":8}]\n2 4 1 3 5\nTrue=2 False=3\n15\nc\nn4 n5\n1 2\n',
    );
  });

  describe('at its prompt', () => {
    let terminal: Terminal;
    before(async () => {
      terminal = await Terminal.open({ ...process.env });
      await terminal.type(host!.path);
      await terminal.see(/PS \S+> ?$/m);
    });
    after(async () => {
      await terminal[Symbol.asyncDispose]();
    });

    test('runs a line, takes a statement of several lines, and brings an earlier one back', async () => {
      await terminal.type('"one" + "two"');
      await terminal.see(/^onetwo$/m);
      await terminal.type('foreach ($i in 1..2) {');
      await terminal.see(/^>>/m);
      await terminal.type('"round $i" }');
      await terminal.see(/^round 1\nround 2$/m);
      await terminal.key('Up', 'Up', 'Up', 'Home', 'Right', 'a', 'b', 'Enter');
      await terminal.see(/^abonetwo$/m);
    });

    test('completes by Tab, round all that fits', async () => {
      await terminal.type('function Get-TestApple { "an apple" }; function Get-TestBerry { "a berry" }');
      await terminal.key('G', 'e', 't', '-', 'T', 'e', 's', 't', 'Tab', 'Tab', 'Enter');
      await terminal.see(/^a berry$/m);
    });

    test('stops a command by Ctrl+C, and drops a line by it', async () => {
      await terminal.type('Start-Sleep 1000');
      await terminal.see(/Start-Sleep 1000$/m);
      await terminal.key('C-c');
      await terminal.key('n', 'o', 'C-c');
      await terminal.type('"still " + "here"');
      await terminal.see(/^still here$/m);
    });

    test('gives the terminal to the programs that it starts', async () => {
      await terminal.type('sh -c \'echo asks; read line; stty size; echo "got $line"\'');
      await terminal.see(/^asks$/m);
      await terminal.type('typed');
      await terminal.see(/^typed\n30 100\ngot typed$/m);
    });

    test('exit ends it with the code', async () => {
      await terminal.type('exit 9');
      await terminal.see(/host\$ ?$/m);
      await terminal.type('echo "code $?"');
      await terminal.see(/^code 9$/m);
    });
  });
});
