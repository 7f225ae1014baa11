// Sessions of PowerShell in containers, typed by a person at `twofold powershell`, and the demonstration of the two isolations by the process csrss.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startDaemon, type TestDaemon } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';
import { host, runScript } from '../support/powershell.ts';
import { Terminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

const CLI = join(import.meta.dirname, '../../packages/cli/src/main.ts');
/** A machine that is emulated, and that others use too. */
const openTimeoutMs = 150_000;

describe('sessions', { skip: host === null ? 'the PowerShell host is not built: there is no .NET SDK' : false }, () => {
  let daemon: TestDaemon;
  before(async () => { daemon = await startDaemon(); });
  after(async () => { await daemon[Symbol.asyncDispose](); });
  const env = (): NodeJS.ProcessEnv => ({ ...daemon.env, TWOFOLD_HOST: `unix://${daemon.socket}` });
  const script = (text: string) => runScript(host!, text, env(), { timeoutMs: openTimeoutMs });

  for (const isolation of isolations) {
    describe(`in a container with ${isolation} isolation`, () => {
      const name = `WINCONT${isolation}`;
      const inside = new RegExp(`^\\[${name}\\]: PS /\\S*> ?$`, 'm');
      let terminal: Terminal;
      before(async () => {
        terminal = await Terminal.open(env(), { columns: 140, rows: 50 });
        await terminal.type(`${process.execPath} --disable-warning=ExperimentalWarning ${CLI} powershell`);
        await terminal.see(/^PS \S+> ?$/m);
      });
      after(async () => { await terminal[Symbol.asyncDispose](); });

      test('the session process inside is the host\'s with process isolation, and on no list of the host\'s with hyperv', async () => {
        await terminal.type(`$con = New-Container -Name ${name} -ContainerImageName WindowsServerCore -SwitchName "Virtual Switch" -RuntimeType ${isolation}`);
        await terminal.type('Start-Container $con');
        await terminal.type('Enter-PSSession -ContainerId $con.ContainerId –RunAsAdministrator');
        await terminal.see(inside, openTimeoutMs);
        await terminal.type("get-process | where {$_.ProcessName -eq 'csrss'}");
        const seen = await terminal.see(/^ +\d+ +[\d.]+ +[\d.]+ +[\d.]+ +(\d+) +\S+ csrss$/m, openTimeoutMs);
        const id = Number(/ (\d+) +\S+ csrss$/m.exec(seen)![1]);
        await terminal.type('exit');
        await terminal.see(/^PS \S+> ?$/m);
        await terminal.type(`get-process | where {$_.ProcessName -eq 'csrss' -and $_.ContainerName -eq '${name}'} | foreach {"found $($_.ContainerName) $($_.ContainerProcessId)"}; "looked"`);
        const screen = await terminal.see(/^looked$/m);
        assert.deepEqual([...screen.matchAll(/^found .*$/gm)].map(([line]) => line), isolation === 'process' ? [`found ${name} ${id}`] : []);
      });

      test('errors, Write-Host and Ctrl+C are those of the other end', async () => {
        await terminal.type(`Enter-PSSession -ContainerName ${name.toLowerCase()}`);
        await terminal.see(new RegExp(`\\[${name}\\]: PS /\\S*> ?$`), openTimeoutMs);
        await terminal.type('Write-Host "its host is $(hostname)"; Get-NothingThere; "after"');
        const screen = await terminal.see(/^after$/m, openTimeoutMs);
        assert.match(screen, new RegExp(`^its host is ${await daemon.ok(['inspect', '-f', '{{.Config.Hostname}}', name])}$`, 'm'));
        assert.match(screen, /Get-NothingThere: The term 'Get-NothingThere' is not recognized/);
        await terminal.type('"begun"; Start-Sleep 1000; "slept"');
        await terminal.see(/^begun$/m, openTimeoutMs);
        await terminal.key('C-c');
        await terminal.type('"still " + "inside"');
        assert.doesNotMatch(await terminal.see(/^still inside$/m, openTimeoutMs), /^slept$/m);
      });

      test('what a session brought is in no layer', async () => {
        assert.doesNotMatch(await daemon.ok(['diff', name]), /powershell|dotnet|\/dev|\.local|\.config/);
      });

      test('a container that is stopped ends the session with an error, and the prompt is the local one', async () => {
        await daemon.ok(['kill', name]);
        await terminal.see(new RegExp(`The session in '${name}' has ended[^]*^PS \\S+> ?$`, 'm'));
        await terminal.type('Enter-PSSession -ContainerId $con.ContainerId');
        await terminal.see(/does not exist, or the corresponding container is not\s+running/);
      });
    });
  }

  test('a command is run in several containers as the image\'s user, and gives objects and its errors', async () => {
    for (const user of ['0', '1234']) await daemon.ok(['run', '--detach', '--name', `user${user}`, '--isolation', 'process', '--user', user, 'nanoserver', 'sleep', '1000']);
    const result = await script(`
      $found = Invoke-Command -ContainerName user0, user1234 { [pscustomobject]@{ User = id -u; Process = (Get-Process csrss).Id }; Write-Error "from $(id -u)" } -ErrorVariable wrong -ErrorAction SilentlyContinue
      ($found | Sort-Object User | ForEach-Object { "$($_.User) $($_.Process)" }) -join ', '
      ($wrong | ForEach-Object { $_.Exception.Message } | Sort-Object) -join ', '
      1..3 | Invoke-Command -ContainerName user1234 -RunAsAdministrator { "$(id -u): $(@($input) -join '+')" }
      (Get-PSSession | Measure-Object).Count`);
    assert.equal(result.stdout, '0 1, 1234 1\nfrom 0, from 1234\n0: 1+2+3\n0\n', result.stderr);
  });

  test('an image with a pwsh of its own uses that one', async () => {
    await daemon.ok(['run', '--detach', '--name', 'own', '--isolation', 'process', 'nanoserver', 'sh', '-c', 'mkdir -p /opt/microsoft/powershell/7; printf "#!/bin/sh\\nexit 42\\n" > /opt/microsoft/powershell/7/pwsh; chmod +x /opt/microsoft/powershell/7/pwsh; exec sleep 1000']);
    await until('its pwsh is there', async () => (await daemon.docker(['exec', 'own', 'test', '-x', '/opt/microsoft/powershell/7/pwsh'])).code === 0);
    const { stdout } = await script('try { $null = New-PSSession -ContainerName own -ErrorAction Stop } catch { "$($_.FullyQualifiedErrorId): $($_.Exception.Message)" }');
    assert.equal(stdout, 'SessionOpenFailed,New-PSSession: The session in container \'own\' could not be opened: its process ended with exit code 42.\n');
  });

  test('what is no running container is refused in the original\'s words', async () => {
    const { stdout } = await script(`
      foreach ($set in @{ ContainerName = 'nobody' }, @{ ContainerId = '12345678' }) {
        try { $null = New-PSSession @set -ErrorAction Stop } catch { "$($_.FullyQualifiedErrorId) $($_.CategoryInfo.Category): $($_.Exception.Message)" }
      }`);
    assert.equal(stdout, [
      'CreateRemoteRunspaceForContainerFailed,New-PSSession InvalidOperation: The input ContainerName nobody does not exist, or the corresponding container is not running.',
      'CreateRemoteRunspaceForContainerFailed,New-PSSession InvalidOperation: The input ContainerId 12345678 does not exist, or the corresponding container is not running.', '',
    ].join('\n'));
  });

  test('every other use of the three commands is PowerShell\'s own', async () => {
    const { stdout } = await script('Invoke-Command { "here $args" } -ArgumentList 1; 5 | Invoke-Command { $input }; & { try { New-PSSession -ContainerId x -ContainerName y } catch { $_.FullyQualifiedErrorId } }');
    assert.equal(stdout, 'here 1\n5\nAmbiguousParameterSet,New-PSSession\n');
  });
});
