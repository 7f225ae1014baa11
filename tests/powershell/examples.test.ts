// The examples of every command's help, run: examples.Tests.ps1 in Pester. Each of its tests is one here.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pesterDirectory } from '../../packages/cli/src/setup/pester.ts';
import { toolDirectory } from '../../packages/cli/src/setup/steps/test-tools.ts';
import { startDaemon, type TestDaemon } from '../support/daemon.ts';
import { moduleDirectory, noPowerShell, runScript } from '../support/powershell.ts';

const pester = pesterDirectory(toolDirectory);
const skip = noPowerShell || (existsSync(pester) ? false : 'Pester is not there (there is no .NET SDK)');

describe('the examples of the help', { skip }, () => {
  let daemon: TestDaemon;
  before(async () => {
    daemon = await startDaemon();
  });
  after(() => daemon[Symbol.asyncDispose]());

  test('all pass, and are of every command', async (context) => {
    const results = join(daemon.directory, 'results.json');
    const { stdout, stderr } = await runScript(
      `Import-Module '${pester}/Pester.psd1'
      $container = New-PesterContainer -Path '${join(import.meta.dirname, 'examples.Tests.ps1')}' -Data @{
        Module = '${moduleDirectory}'; Directory = '${daemon.directory}'
      }
      $run = Invoke-Pester -Container $container -PassThru -Output None
      , @($run.Tests | ForEach-Object {
          @{ name = $_.ExpandedName; result = $_.Result; error = ($_.ErrorRecord | Out-String) }
        }) | ConvertTo-Json -Depth 3 | Set-Content '${results}'`,
      { ...daemon.env, TWOFOLD_HOST: `unix://${daemon.socket}` },
      { timeoutMs: 600_000 },
    );
    assert.ok(existsSync(results), `${stdout}\n${stderr}`);
    const tests = JSON.parse(readFileSync(results, 'utf8')) as { name: string; result: string; error: string }[];
    assert.ok(tests.length > 34 * 2, `${tests.length} tests`);
    for (const { name, result, error } of tests)
      await context.test(name, { skip: result === 'Skipped' }, () => assert.equal(result, 'Passed', error));
  });
});
