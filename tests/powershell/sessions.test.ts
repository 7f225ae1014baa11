// Sessions of PowerShell in containers, opened by scripts, and typed by a person at `twofold powershell`. The
// demonstration of the two isolations by the process csrss is walkthrough.test.ts's.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startDaemon, type TestDaemon } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';
import { noPowerShell, quietly, runScript } from '../support/powershell.ts';
import { Terminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

const CLI = join(import.meta.dirname, '../../packages/cli/src/main.ts');
/** A machine that is emulated, and that others use too. */
const openTimeoutMs = 300_000;

describe('sessions', { skip: noPowerShell }, () => {
  let daemon: TestDaemon;
  before(async () => {
    daemon = await startDaemon();
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
  });
  const env = (): NodeJS.ProcessEnv => ({ ...daemon.env, ...quietly, TWOFOLD_HOST: `unix://${daemon.socket}` });
  const script = (text: string) => runScript(text, env(), { timeoutMs: openTimeoutMs });
  /** A container that has a pwsh of its own: a shell script of this text. */
  const startWithPwsh = async (name: string, text: string): Promise<void> => {
    const path = '/opt/microsoft/powershell/7/pwsh';
    await daemon.ok([
      'run',
      '--detach',
      '--name',
      name,
      '--isolation',
      'process',
      '--env',
      `TEXT=${text}`,
      'nanoserver',
      'sh',
      '-c',
      `mkdir -p $(dirname ${path}); printf "#!/bin/sh\\n%s\\n" "$TEXT" > ${path}; chmod +x ${path}; exec sleep 1000`,
    ]);
    await until('its pwsh is there', async () => (await daemon.docker(['exec', name, 'test', '-x', path])).code === 0);
  };

  for (const isolation of isolations) {
    describe(`in a container with ${isolation} isolation`, () => {
      const name = `WINCONT${isolation}`;
      let terminal: Terminal;
      before(async () => {
        await daemon.ok([
          'run',
          '--detach',
          '--interactive',
          '--name',
          name,
          '--isolation',
          isolation,
          'windowsservercore',
        ]);
        terminal = await Terminal.open(env(), { columns: 140, rows: 50 });
        await terminal.type(`${process.execPath} --disable-warning=ExperimentalWarning ${CLI} powershell`);
        await terminal.see(/^PS \S+> ?$/m);
      });
      after(async () => {
        await terminal[Symbol.asyncDispose]();
      });

      test('a session that a script opens is ready at once, and has the environment of the image', async () => {
        const { stdout, stderr } = await script(`
          $session = New-PSSession -ContainerName ${name}
          "$($session.State) $($session.Availability)"
          Invoke-Command -Session $session { "$((Get-Process csrss).Id) $(Get-ChildItem env: | Where-Object Name -match '^(XDG|DOTNET)_')" }
          Remove-PSSession $session
          Invoke-Command -ContainerId (Get-Container ${name}).ContainerId -RunAsAdministrator { "runs in $(hostname), $($PSVersionTable.PSEdition)" }`);
        const host = await daemon.ok(['inspect', '-f', '{{.Config.Hostname}}', name]);
        assert.equal(stdout, `Opened Available\n1 \nruns in ${host}, Core\n`, stderr);
      });

      test('errors, Write-Host and Ctrl+C are those of the other end', async () => {
        await terminal.type(`Enter-PSSession -ContainerName ${name.toLowerCase()}`);
        await terminal.see(new RegExp(`\\[${name}\\]: PS /\\S*> ?$`), openTimeoutMs);
        await terminal.type('Write-Host "its host is $(hostname)"; Get-NothingThere; "after"');
        const screen = await terminal.see(/^after$/m, openTimeoutMs);
        assert.match(
          screen,
          new RegExp(`^its host is ${await daemon.ok(['inspect', '-f', '{{.Config.Hostname}}', name])}$`, 'm'),
        );
        assert.match(screen, /Get-NothingThere: The term 'Get-NothingThere' is not recognized/);
        await terminal.type('"begun"; Start-Sleep 1000; "slept"');
        await terminal.see(/^begun$/m, openTimeoutMs);
        await terminal.key('C-c');
        await terminal.type('"still " + "inside"');
        assert.doesNotMatch(await terminal.see(/^still inside$/m, openTimeoutMs), /^slept$/m);
      });

      test('what a session brought is in no layer', async () => {
        assert.doesNotMatch(await daemon.ok(['diff', name]), /powershell|dotnet|pwsh|\/dev|\.local|\.config|\.cache/);
      });

      test('a container that is stopped ends the session, and the prompt is the local one', async () => {
        await daemon.ok(['kill', name]);
        await terminal.type('"too late"');
        // PowerShell's own words, which depend on when it notices: as the line is sent, or before it was typed. In
        // between the line is the local prompt's already, and nothing is told.
        await terminal.see(/(either closed or broken|target process has ended|^too late$).*\s+^PS \S+> ?$/m);
        await terminal.type(`Enter-PSSession -ContainerName ${name}`);
        await terminal.see(/does not exist, or the corresponding container is not\s+running/);
      });
    });
  }

  test("a command is run in several containers as the image's user, and gives objects and its errors", async () => {
    for (const user of ['0', '1234'])
      await daemon.ok([
        'run',
        '--detach',
        '--name',
        `user${user}`,
        '--isolation',
        'process',
        '--user',
        user,
        'nanoserver',
        'sleep',
        '1000',
      ]);
    const result = await script(`
      $found = Invoke-Command -ContainerName user0, user1234 { [pscustomobject]@{ User = id -u; Process = (Get-Process csrss).Id }; Write-Error "from $(id -u)" } -ErrorVariable wrong -ErrorAction SilentlyContinue
      ($found | Sort-Object User | ForEach-Object { "$($_.User) $($_.Process)" }) -join ', '
      ($wrong | ForEach-Object { $_.Exception.Message } | Sort-Object) -join ', '
      0..3 | Invoke-Command -ContainerName user1234 -RunAsAdministrator { "$(id -u): $(@($input) -join '+')" }
      0 | Invoke-Command -ContainerName user1234 { "alone: $input" }
      (Get-PSSession | Measure-Object).Count`);
    assert.equal(result.stdout, '0 1, 1234 1\nfrom 0, from 1234\n0: 0+1+2+3\nalone: 0\n0\n', result.stderr);
  });

  test('what comes back tells its container, and so do sessions and jobs, which leave no session behind', async () => {
    const { stdout, stderr } = await script(`
      $session = New-PSSession -ContainerName USER0
      "$($session.Name) $($session.ComputerName) $(Invoke-Command -Session $session { 1 } | ForEach-Object PSComputerName)"
      Remove-PSSession $session
      Get-Container user* | Invoke-Command -RunAsAdministrator { id -u } | Sort-Object PSComputerName | ForEach-Object { "$($_.PSComputerName) $_" }
      Invoke-Command -ContainerName user1234 { Get-NothingThere } -ErrorVariable wrong -ErrorAction SilentlyContinue
      "$($wrong[0].OriginInfo.PSComputerName) $($wrong[0].FullyQualifiedErrorId)"
      $job = Invoke-Command -ContainerName user0 { id -u } -AsJob | Wait-Job
      "$($job.Location) $($job | Receive-Job)"
      Invoke-Command -ContainerName user0 { exit 3 }
      for ($i = 0; (Get-PSSession) -and $i -lt 100; $i++) { Start-Sleep -Milliseconds 50 }
      "left: $((Get-PSSession).Name), $($Error.Count) errors"`);
    assert.equal(
      stdout,
      'user0 user0 user0\nuser0 0\nuser1234 0\nuser1234 CommandNotFoundException\nuser0 0\nleft: , 1 errors\n',
      stderr,
    );
  });

  test('sessions in several containers come up at once, as many as -ThrottleLimit says; one that cannot leaves the others, and each says why', async () => {
    // A pwsh that never gets to its remoting: it says that it is here and waits until it may go.
    const docker = (name: string, ...words: string[]) => daemon.docker(['exec', name, ...words]);
    const isHere = async (name: string) => (await docker(name, 'test', '-e', '/here')).code === 0;
    for (const name of ['one', 'two'])
      await startWithPwsh(name, 'touch /here; until [ -e /go ]; do sleep 0.1; done; rm /here /go; exit 42');
    const invoke = (limit: number) =>
      script(`
      $found = Invoke-Command -ContainerName one, nobody, user0, two { 'there' } -ThrottleLimit ${limit} -ErrorVariable wrong -ErrorAction SilentlyContinue
      "$found; $(($wrong | ForEach-Object { "$($_.TargetObject) $($_.FullyQualifiedErrorId -replace ',.*')" } | Sort-Object) -join ', ')"`);
    const expected =
      'there; nobody CreateRemoteRunspaceForContainerFailed, one SessionOpenFailed, two SessionOpenFailed\n';
    const together = invoke(32);
    await until('both come up', async () => (await isHere('one')) && (await isHere('two')));
    for (const name of ['one', 'two']) await docker(name, 'touch', '/go');
    assert.equal((await together).stdout, expected);
    const inTurn = invoke(1);
    await until('the first comes up', () => isHere('one'));
    assert.equal(await isHere('two'), false);
    await docker('one', 'touch', '/go');
    await until('the second comes up', () => isHere('two'));
    await docker('two', 'touch', '/go');
    assert.equal((await inTurn).stdout, expected);
  });

  test('Ctrl+C while sessions come up ends the command at once and leaves nothing', async () => {
    const name = 'slow';
    await startWithPwsh(name, 'exec cat');
    await using terminal = await Terminal.open(env(), { columns: 140, rows: 50 });
    await terminal.type(`${process.execPath} --disable-warning=ExperimentalWarning ${CLI} powershell`);
    await terminal.see(/^PS \S+> ?$/m);
    await terminal.type(`Invoke-Command -ContainerName user0, ${name} { "ran" }`);
    await until('both sessions come up', async () => / cat$/m.test(await daemon.ok(['top', name])));
    await terminal.key('C-c');
    await terminal.type('"sessions: $((Get-PSSession | Measure-Object).Count)"');
    assert.doesNotMatch(await terminal.see(/^sessions: 0$/m), /^ran$/m);
    await until(
      'nothing is left in the containers',
      async () => !/ cat$| -s$/m.test(`${await daemon.ok(['top', name])}\n${await daemon.ok(['top', 'user0'])}`),
    );
  });

  test('an image with a pwsh of its own uses that one', async () => {
    await startWithPwsh('own', 'exit 42');
    const { stdout } = await script(
      'try { $null = New-PSSession -ContainerName own -ErrorAction Stop } catch { "$($_.FullyQualifiedErrorId): $($_.Exception.Message)" }',
    );
    assert.equal(
      stdout,
      "SessionOpenFailed,New-PSSession: The session in container 'own' could not be opened: its process ended with exit code 42.\n",
    );
  });

  test("what is no running container is refused in the original's words", async () => {
    const { stdout } = await script(`
      foreach ($set in @{ ContainerName = 'nobody' }, @{ ContainerId = '12345678' }) {
        try { $null = New-PSSession @set -ErrorAction Stop } catch { "$($_.FullyQualifiedErrorId) $($_.CategoryInfo.Category): $($_.Exception.Message)" }
      }`);
    assert.equal(
      stdout,
      [
        'CreateRemoteRunspaceForContainerFailed,New-PSSession InvalidOperation: The input ContainerName nobody does not exist, or the corresponding container is not running.',
        'CreateRemoteRunspaceForContainerFailed,New-PSSession InvalidOperation: The input ContainerId 12345678 does not exist, or the corresponding container is not running.',
        '',
      ].join('\n'),
    );
  });

  test("every other use of the three commands is PowerShell's own", async () => {
    const { stdout } =
      await script(`Invoke-Command { "here $args" } -ArgumentList 1; 5 | Invoke-Command { $input }; 0 | Invoke-Command { "got $input" }; Invoke-Command -NoNewScope { $set = 'outside' }; $set
      & { try { New-PSSession -ContainerId x -ContainerName y } catch { $_.FullyQualifiedErrorId } }
      (TabExpansion2 'Enter-PSSession -Con' 20).CompletionMatches.CompletionText | Sort-Object
      # Every parameter of the core's, in the same sets, at the same positions, from the same pipelines.
      foreach ($name in 'Enter-PSSession', 'New-PSSession', 'Invoke-Command') {
        $ours = (Get-Command $name -CommandType Function).Parameters
        foreach ($parameter in (Get-Command "Microsoft.PowerShell.Core\\$name" -CommandType Cmdlet).Parameters.Values) {
          foreach ($set in $parameter.ParameterSets.Keys) {
            $theirs, $same = $parameter.ParameterSets[$set], $ours[$parameter.Name].ParameterSets[$set]
            foreach ($word in 'IsMandatory', 'Position', 'ValueFromPipeline', 'ValueFromPipelineByPropertyName') { if ($theirs.$word -ne $same.$word) { "$name -$($parameter.Name) differs in $set by $word" } }
          }
        }
      }`);
    assert.equal(
      stdout,
      [
        'here 1',
        '5',
        'got 0',
        'outside',
        'AmbiguousParameterSet,New-PSSession',
        '-ConfigurationName',
        '-ConnectingTimeout',
        '-ConnectionUri',
        '-ContainerId',
        '-ContainerName',
        // At the same place as -ComputerName, which is the one that is meant by a bare word.
        'Enter-PSSession -ContainerId differs in ContainerId by Position',
        '',
      ].join('\n'),
    );
  });

  test('a configuration, which sessions in containers do not have, is refused', async () => {
    const { stdout } = await script(
      'foreach ($command in { New-PSSession -ContainerName user0 -ConfigurationName x -ErrorAction Stop }, { Invoke-Command -ContainerName user0 -ConfigurationName x { 1 } -ErrorAction Stop }) { try { & $command } catch { $_.FullyQualifiedErrorId } }',
    );
    assert.equal(stdout, 'Unsupported,New-PSSession\nUnsupported,Invoke-Command\n');
  });
});
