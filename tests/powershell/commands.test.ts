// The module's commands in scripts: objects, tables, pipelines, -WhatIf, what goes wrong and how it is told. The
// walkthrough is walkthrough.test.ts's.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startDaemon, type TestDaemon } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';
import { noPowerShell, runForJson, runScript } from '../support/powershell.ts';

let daemon: TestDaemon;
let env: NodeJS.ProcessEnv;
before(async () => {
  if (noPowerShell !== false) return;
  daemon = await startDaemon();
  env = { ...daemon.env, TWOFOLD_HOST: `unix://${daemon.socket}` };
});
after(async () => {
  if (noPowerShell === false) await daemon[Symbol.asyncDispose]();
});

const json = <T>(script: string) => runForJson<T>(script, env);
/** A script's whole text, as at a terminal of 160 columns. */
const text = async (script: string) => {
  const { code, stdout, stderr } = await runScript(script, env);
  assert.equal(code, 0, stderr);
  return stdout;
};
/** Runs scripts one after the other in one session, gives what each left in $Error: newest first. */
const errorsOf = (scripts: readonly string[]) =>
  json<
    { id: string; category: string; target: string; message: string }[][]
  >(`$all = [Collections.Generic.List[object]]::new()
    foreach ($script in ${scripts.map((script) => `{ ${script} }`).join(', ')}) {
      $Error.Clear(); try { $null = . $script 2>$null } catch { }
      $all.Add(@($Error | ForEach-Object { [pscustomobject]@{ id = $_.FullyQualifiedErrorId; category = [string]$_.CategoryInfo.Category; target = [string]$_.TargetObject; message = $_.Exception.Message } }))
    }
    , $all`);
const errors = async (script: string) => (await errorsOf([script]))[0]!;
const named = (name: string) => `${name}-of-module`;

describe('the Containers module', { skip: noPowerShell }, () => {
  for (const [index, isolation] of isolations.entries()) {
    test(`a container with ${isolation} isolation is made, started, seen by Docker, stopped and removed, and its object knows at once`, async () => {
      const name = named(`life-${index}`);
      const states = await json<string[]>(`
          $con = New-Container ${name} -ContainerImageName NanoServer -SwitchName nat -RuntimeType ${isolation}
          [string]$con.State
          Start-Container $con
          [string]$con.State
          docker inspect --format '{{.State.Status}} {{.HostConfig.Isolation}} {{.Config.OpenStdin}}' ${name}
          [string]($con.Uptime -is [timespan])
          $con | Stop-Container -TurnOff -Passthru | ForEach-Object { [string]$_.State }
          Remove-Container ${name} -Force
          [string]$con.State`);
      assert.deepEqual(states, ['Off', 'Running', `running ${isolation} true`, 'True', 'Off', 'Removed']);
    });
  }

  test('a container runs until it is stopped, though nobody is at its input', async () => {
    const name = named('stays');
    assert.equal(
      await json(`
        $con = New-Container ${name} -ContainerImageName nanoserver -SwitchName NAT
        Start-Container $con
        Start-Sleep 1
        [string]$con.State
        Stop-Container $con -TurnOff
        Remove-Container $con -Force`),
      'Running',
    );
  });

  test('lists have the columns and the alignment of the originals', async () => {
    const name = named('table');
    await text(`$null = New-Container ${name} -ContainerImageName WindowsServerCore -SwitchName "Virtual Switch"`);
    const pad = (word: string) => word.padEnd(name.length);
    assert.equal(
      (await text(`Get-Container ${name}`)).trimEnd().replaceAll(/ +$/gm, ''),
      `\n${pad('Name')} State Uptime   ParentImageName\n${pad('----')} ----- ------   ---------------\n${name} Off   00:00:00 WindowsServerCore`,
    );
    assert.equal(
      (await text('Get-ContainerImage NanoServer')).trimEnd().replaceAll(/ +$/gm, ''),
      '\nName       Publisher  Version IsOSImage\n----       ---------  ------- ---------\nNanoServer CN=Twofold latest  True',
    );
    assert.equal(
      (await text('Get-VMSwitch "Virtual Switch"')).trimEnd().replaceAll(/ +$/gm, ''),
      '\nName           SwitchType NetAdapterInterfaceDescription\n----           ---------- ------------------------------\nVirtual Switch NAT',
    );
    await text(`Remove-Container ${name} -Force`);
  });

  test('names are matched without regard to case, GUIDs, ids and prefixes of ids too, and wildcards may fit none', async () => {
    const [one, two] = [named('Ref-One'), named('Ref-Two')];
    const answers = await json<string[]>(`
        $one = New-Container ${one} -ContainerImageName nanoserver -SwitchName NAT
        $two = New-Container ${two} -ContainerImageName nanoserver -SwitchName NAT
        (Get-Container ${one.toLowerCase()}).Name
        (Get-Container -Id $one.ContainerId).Name
        (Get-Container -Id $one.DockerId).Name
        (Get-Container $one.DockerId.Substring(0, 20)).Name
        (Get-Container ([string]$one.ContainerId).ToUpper()).Name
        '${two}' | Get-Container | ForEach-Object Name
        ($one | Get-Container).Name
        ([pscustomobject]@{ Id = $one.ContainerId } | Get-Container).Name
        (Get-Container "{$($one.ContainerId)}").Name
        (Get-Container ref-*-of-module).Count
        @(Get-Container no-such-*).Count
        'ref-*-of-module' | Remove-Container -Force
        @(Get-Container ref-*).Count`);
    assert.deepEqual(answers.map(String), [one, one, one, one, one, two, one, one, one, '2', '0', '0']);
  });

  test('conversion to and fro by object, by name and by pipeline; -WhatIf says what is kept and does nothing; what runs is refused', async () => {
    const name = named('convert');
    const answers = await json<string[]>(`
        $con = New-Container ${name} -ContainerImageName nanoserver -SwitchName NAT
        [string]$con.RuntimeType
        Set-Container $con -RuntimeType HyperV -WhatIf
        "$($con.RuntimeType) $($con.Isolation)"
        Set-Container $con -RuntimeType HyperV
        "$($con.RuntimeType) $($con.Isolation)"
        Set-Container ${name} -RuntimeType default
        "$($con.RuntimeType) $($con.Isolation)"
        $con | Set-Container -RuntimeType Process -Passthru | ForEach-Object { "$($_.RuntimeType) $($_.Isolation)" }`);
    assert.deepEqual(answers, ['Default', 'Default process', 'HyperV hyperv', 'Default process', 'Process process']);
    const whatIf = await text(`Set-Container ${name} -RuntimeType HyperV -WhatIf`);
    assert.match(whatIf, /^What if: .*Set-Container -RuntimeType HyperV.*process -> hyperv/m);
    assert.match(whatIf, /^ {2}kept {5}Every file that it wrote/m);
    const [refusal, ...more] = await errors(`Start-Container ${name}; Set-Container ${name} -RuntimeType HyperV`);
    assert.deepEqual(
      [refusal!.id, refusal!.category, more],
      ['ContainerRunning,Set-Container', 'InvalidOperation', []],
    );
    assert.match(await text(`Set-Container ${name} -RuntimeType HyperV -WhatIf`), /^ {2}refused {2}.*is running/m);
    await text(`Stop-Container ${name} -TurnOff; Remove-Container ${name} -Force`);
  });

  test('an image is made of a stopped container, listed, tested, exported, removed and brought in again; one that is used stays', async () => {
    const name = named('imaged');
    const directory = daemon.directory;
    const answers = await json<unknown[]>(`
        $con = New-Container ${name} -ContainerImageName nanoserver -SwitchName NAT
        $image = New-ContainerImage $con -Name Demo_Image1 -Publisher Demo -Version 1.0
        "$image"
        "$($image.ParentImage)"
        $image.IsOSImage
        (Get-ContainerImage -ChildOf (Get-ContainerImage nanoserver)).Name
        (Get-ContainerImage demo_* -Publisher CN=demo -Version 1.0.0.0).Name
        (Test-ContainerImage $image).IsValid
        ($image | Export-ContainerImage -Path '${directory}' -Passthru).Name
        $image | Remove-ContainerImage -Force
        @(Get-ContainerImage Demo_*).Count
        $back = Import-ContainerImage '${directory}/CN=Demo_Demo_Image1_1.0.0.0.tar'
        "$back"
        $back.IsOSImage
        $child = New-Container ${named('child')} -ContainerImage $back
        $child.ParentImageName`);
    const shown = "ContainerImage (Name = 'Demo_Image1') [Publisher = 'CN=Demo', Version = '1.0.0.0']";
    assert.deepEqual(answers, [
      shown,
      "ContainerImage (Name = 'NanoServer') [Publisher = 'CN=Twofold', Version = 'latest']",
      false,
      'Demo_Image1',
      'Demo_Image1',
      true,
      'CN=Demo_Demo_Image1_1.0.0.0.tar',
      0,
      shown,
      false,
      'demo_image1',
    ]);
    assert.match(
      await daemon.ok(['images', '--format', '{{.Repository}}:{{.Tag}}']),
      /^demo\/demo_image1:1\.0\.0\.0$/m,
    );
    const [used] = await errors('Remove-ContainerImage Demo_Image1 -Force');
    assert.deepEqual([used!.id, used!.category], ['Conflict,Remove-ContainerImage', 'InvalidOperation']);
    const [again] = await errors(`New-ContainerImage ${name} Demo_Image1 Demo 1.0`);
    assert.deepEqual([again!.id, again!.category], ['ContainerImageExists,New-ContainerImage', 'ResourceExists']);
    const [exists] = await errors(`Export-ContainerImage Demo_Image1 -Path '${directory}'`);
    assert.equal(exists!.id, 'FileExists,Export-ContainerImage');
    await text(
      `Remove-Container ${name}, ${named('child')} -Force; Remove-ContainerImage Demo_Image1 -Force; Remove-Item '${directory}/CN=Demo_Demo_Image1_1.0.0.0.tar'`,
    );
  });

  test('jobs do in the background what the command does, and give containers as they were at its end', async () => {
    const name = named('job');
    const answers = await json<string[]>(`
        $made = New-Container ${name} -ContainerImageName nanoserver -SwitchName NAT -AsJob | Wait-Job | Receive-Job
        "$($made.Name) $($made.State)"
        $started = $made | Start-Container -Passthru -AsJob | Wait-Job | Receive-Job
        "$($started.Name) $($started.State)"
        (Stop-Container ${name} -TurnOff -AsJob).Name
        Get-Job | Wait-Job | Receive-Job
        [string](Get-Container ${name}).State
        Remove-Container ${name} -Force`);
    assert.deepEqual(answers, [`${name} Off`, `${name} Running`, 'Stop-Container', 'Off']);
  });

  test('a switch is made, used, refused while it is needed, and removed', async () => {
    const name = named('Lab');
    const answers = await json<string[]>(`
        $switch = New-VMSwitch -Name ${name} -SwitchType Internal -NATSubnetAddress 10.213.7.0/24
        "$($switch.Name) $($switch.SwitchType) $($switch.NATSubnetAddress)"
        $con = New-Container ${named('on-lab')} -ContainerImageName nanoserver -SwitchName ${name.toUpperCase()}
        docker inspect --format '{{json .NetworkSettings.Networks}}' ${named('on-lab')}
        Start-Container $con`);
    assert.equal(answers[0], `${name} Internal 10.213.7.0/24`);
    assert.deepEqual(Object.keys(JSON.parse(answers[1]!) as object), [name]);
    assert.equal((await errors(`New-VMSwitch ${name}`))[0]!.category, 'ResourceExists');
    assert.match((await errors(`Remove-VMSwitch ${name} -Force`))[0]!.id, /,Remove-VMSwitch$/);
    assert.deepEqual(
      (await errors('Remove-VMSwitch NAT -Force')).map(({ category }) => category),
      ['PermissionDenied'],
    );
    await text(
      `Stop-Container ${named('on-lab')} -TurnOff; Remove-Container ${named('on-lab')} -Force; Remove-VMSwitch ${name} -Force`,
    );
    assert.equal(await json(`@(Get-VMSwitch ${name}*).Count`), 0);
  });

  test('adapters are added, connected, moved, given addresses, seen by Docker, and taken away; those of a running container stay as they are', async () => {
    const name = named('plugged');
    const answers = await json<string[]>(`
        $con = New-Container ${name} -ContainerImageName nanoserver
        @($con | Get-ContainerNetworkAdapter).Count
        $adapter = Add-ContainerNetworkAdapter $con -SwitchName 'virtual switch' -StaticMacAddress 02-15-5d-01-02-03 -Passthru
        "$($adapter.Name) $($adapter.SwitchName) $($adapter.StaticMacAddress)"
        Add-ContainerNetworkAdapter ${name} -Name Second
        (Connect-ContainerNetworkAdapter ${name} NAT -Name Second -Passthru).SwitchName
        docker inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}},{{end}}' ${name}
        (Get-ContainerNetworkAdapter ${name} Sec* | Disconnect-ContainerNetworkAdapter -Passthru).SwitchName
        ($adapter | Set-ContainerNetworkAdapter -DynamicMacAddress -Passthru).StaticMacAddress
        Start-Container $con
        $address = ($con | Get-ContainerNetworkAdapter -Name 'Network Adapter').IPAddress
        $address -eq (docker inspect --format '{{(index .NetworkSettings.Networks "Virtual Switch").IPAddress}}' ${name})`);
    assert.deepEqual(answers.map(String), [
      '0',
      'Network Adapter Virtual Switch 02:15:5d:01:02:03',
      'NAT',
      'Virtual Switch,bridge,',
      '',
      '',
      'true',
    ]);
    const table = await text(`Get-ContainerNetworkAdapter ${name} | Out-String -Width 160`);
    assert.match(
      table.trimEnd(),
      /^\nContainerName +Name +Network Id +Static MacAddress Static IPAddress Maximum Bandwidth\n-+ +-+ +-+ +-+ -+ -+\n/,
    );
    assert.match(table, /^plugged-\S+ +Network Adapter [0-9A-F]{8}-[0-9A-F-]{27} +0 *$/m);
    const refused = await errors(
      `Add-ContainerNetworkAdapter ${name}; Get-ContainerNetworkAdapter ${name} Nothing; Set-ContainerNetworkAdapter ${name} -MaximumBandwidth 5`,
    );
    assert.deepEqual(
      refused
        .toReversed()
        .slice(0, 3)
        .map(({ id, category }) => [id, category]),
      [
        ['NotImplemented,Add-ContainerNetworkAdapter', 'NotImplemented'],
        ['ContainerNetworkAdapterNotFound,Get-ContainerNetworkAdapter', 'ObjectNotFound'],
        ['NotImplemented,Set-ContainerNetworkAdapter', 'NotImplemented'],
      ],
    );
    await text(`Stop-Container ${name} -TurnOff; Remove-ContainerNetworkAdapter ${name}`);
    assert.equal(await json(`@(Get-ContainerNetworkAdapter ${name}).Count; Remove-Container ${name} -Force`), 0);
  });

  test('a worker is ended hard, and the object, Docker and the list know at once', async () => {
    const name = named('worker');
    const answers = await json<string[]>(`
        $con = New-Container ${name} -ContainerImageName nanoserver -SwitchName NAT -RuntimeType HyperV
        Start-Container $con
        $worker = Get-ComputeProcess -Name ${name.toUpperCase()}
        "$($worker.Owner) $($worker.Type) $($worker.Id -ceq ([string]$con.ContainerId).ToUpper())"
        $con | Get-ComputeProcess | ForEach-Object Name
        Stop-ComputeProcess -Id $worker.Id -Force
        [string]$con.State
        docker inspect --format '{{.State.Status}} {{.State.ExitCode}}' ${name}
        @(Get-ComputeProcess -Name ${name}).Count`);
    assert.deepEqual(answers.map(String), ['VMMS Container True', name, 'Off', 'exited 137', '0']);
    assert.deepEqual(
      (await errors(`Stop-ComputeProcess -Id (Get-Container ${name}).ContainerId -Force`)).map(({ id, category }) => [
        id,
        category,
      ]),
      [['ComputeProcessNotFound,Stop-ComputeProcess', 'ObjectNotFound']],
    );
    await text(`Remove-Container ${name} -Force`);
  });

  test('-Verbose tells what is sent, -WhatIf sends nothing', async () => {
    const verbose = await runScript(
      `New-Container ${named('talk')} -ContainerImageName nanoserver -SwitchName NAT -Verbose 4>&1 | Out-String; New-Container ${named('none')} -ContainerImageName nanoserver -WhatIf`,
      env,
    );
    assert.match(
      verbose.stdout,
      new RegExp(`POST /containers/create\\?name=${named('talk')} \\{.*"Image":"nanoserver:latest"`),
    );
    assert.match(verbose.stdout, /What if: Performing the operation "New-Container" on target "none-/);
    assert.equal(await json(`Remove-Container ${named('talk')} -Force; @(Get-Container ${named('none')}*).Count`), 0);
  });

  test('what goes wrong is told once, with category, target and a stable id, and nothing is half done', async () => {
    const [taken, bare] = [named('taken'), named('bare')];
    const cases: [script: string, id: string, category: string][] = [
      ['Get-Container nobody', 'ContainerNotFound,Get-Container', 'ObjectNotFound'],
      ['Get-Container 00000000-0000-0000-0000-000000000000', 'ContainerNotFound,Get-Container', 'ObjectNotFound'],
      ['Start-Container nobody', 'ContainerNotFound,Start-Container', 'ObjectNotFound'],
      [
        `New-Container ${taken} -ContainerImageName nanoserver -SwitchName NAT; New-Container ${taken} -ContainerImageName nanoserver -SwitchName NAT`,
        'NameTaken,New-Container',
        'ResourceExists',
      ],
      [
        'New-Container half -ContainerImageName nanoserver -SwitchName nowhere',
        'VMSwitchNotFound,New-Container',
        'ObjectNotFound',
      ],
      [
        'New-Container half -ContainerImageName nothing -SwitchName NAT',
        'ContainerImageNotFound,New-Container',
        'ObjectNotFound',
      ],
      [
        'New-Container half -ContainerImageName *server* -SwitchName NAT',
        'AmbiguousContainerImage,New-Container',
        'InvalidArgument',
      ],
      [
        'New-Container "half a name" -ContainerImageName nanoserver',
        'InvalidArgument,New-Container',
        'InvalidArgument',
      ],
      [
        'New-Container half -ContainerImageName nanoserver -Path /srv',
        'PathNotSupported,New-Container',
        'NotImplemented',
      ],
      [
        `Connect-ContainerNetworkAdapter ${taken} nowhere`,
        'VMSwitchNotFound,Connect-ContainerNetworkAdapter',
        'ObjectNotFound',
      ],
      [
        `New-Container ${bare} -ContainerImageName nanoserver; Connect-ContainerNetworkAdapter ${bare} nowhere`,
        'VMSwitchNotFound,Connect-ContainerNetworkAdapter',
        'ObjectNotFound',
      ],
      [
        `Connect-ContainerNetworkAdapter ${bare} NAT`,
        'ContainerNetworkAdapterNotFound,Connect-ContainerNetworkAdapter',
        'ObjectNotFound',
      ],
      [
        `Set-ContainerNetworkAdapter ${bare} -DynamicMacAddress`,
        'ContainerNetworkAdapterNotFound,Set-ContainerNetworkAdapter',
        'ObjectNotFound',
      ],
      [
        `Start-Container ${taken}; Remove-Container ${taken} -Force`,
        'ContainerRunning,Remove-Container',
        'InvalidOperation',
      ],
      [`New-ContainerImage ${taken} Running Demo 1.0`, 'ContainerRunning,New-ContainerImage', 'InvalidOperation'],
      ['Import-ContainerImage /nowhere.tar', 'PathNotFound,Import-ContainerImage', 'ObjectNotFound'],
      ['Get-Container "[a"', 'InvalidWildcard,Get-Container', 'InvalidArgument'],
      ['Get-VMSwitch "[a"', 'InvalidWildcard,Get-VMSwitch', 'InvalidArgument'],
      ['Get-VMSwitch nowhere', 'VMSwitchNotFound,Get-VMSwitch', 'ObjectNotFound'],
      ['New-VMSwitch Bad -NATSubnetAddress 300.0.0.0/8', 'InvalidArgument,New-VMSwitch', 'InvalidArgument'],
      [
        'Add-NetNatStaticMapping -NatName NAT -Protocol TCP -ExternalPort 80 -InternalIPAddress 10.0.0.2 -InternalPort 80',
        'NotImplemented,Add-NetNatStaticMapping',
        'NotImplemented',
      ],
      ['Move-ContainerImageRepository /srv', 'NotImplemented,Move-ContainerImageRepository', 'NotImplemented'],
    ];
    const all = await errorsOf(cases.map(([script]) => script));
    for (const [index, [script, id, category]] of cases.entries()) {
      const found = all[index]!;
      assert.deepEqual(
        found.map((error) => [error.id, error.category]),
        [[id, category]],
        script,
      );
      assert.notEqual(found[0]!.target, '', script);
    }
    const [bad] = await errors('New-Container half -ContainerImageName nanoserver -RuntimeType Xen');
    assert.equal(bad!.id, 'ParameterArgumentValidationError,New-Container');
    const [string] = await errors('New-Container half -ContainerImage nanoserver');
    assert.match(string!.id, /,New-Container$/);
    assert.equal(
      await json(
        `Stop-Container ${taken} -TurnOff; Remove-Container ${taken}, ${bare} -Force; @(Get-Container half*).Count`,
      ),
      0,
    );
  });

  test('a prefix that several ids have is refused', async () => {
    const ids: string[] = [];
    const firsts = new Map<string, string>();
    let prefix: string | undefined;
    // Of 17 ids two begin with the same digit.
    while (prefix === undefined) {
      const id = await daemon.ok(['create', 'nanoserver']);
      ids.push(id);
      if (firsts.has(id[0]!)) prefix = id[0]!;
      firsts.set(id[0]!, id);
    }
    assert.deepEqual(
      (await errors(`Stop-Container -Name ${prefix}`)).map(({ id, category }) => [id, category]),
      [['AmbiguousPrefix,Stop-Container', 'InvalidArgument']],
    );
    await daemon.ok(['rm', ...ids]);
  });

  test('an error about one name leaves the others', async () => {
    const name = named('other');
    const answers = await json<string[]>(`
        $null = New-Container ${name} -ContainerImageName nanoserver -SwitchName NAT
        (Get-Container nobody, ${name} -ErrorAction SilentlyContinue).Name
        'nobody', '${name}' | Remove-Container -Force -ErrorAction SilentlyContinue
        "$(@(Get-Container ${name}*).Count)"`);
    assert.deepEqual(answers, [name, '0']);
  });

  test('where no daemon is, and where nobody may ask it, that is said', async () => {
    const away = { ...env, TWOFOLD_HOST: 'unix:///nowhere/twofold.sock' };
    const script =
      '$Error.Clear(); try { Get-Container 2>$null } catch { }; , @($Error | ForEach-Object { "$($_.FullyQualifiedErrorId) $($_.CategoryInfo.Category)" })';
    assert.deepEqual(await runForJson(script, away), ['DaemonUnavailable,Get-Container ConnectionError']);
    assert.deepEqual(await runForJson(script, { ...env, TWOFOLD_HOST: 'tcp://127.0.0.1:2375' }), [
      'InvalidEngineAddress,Get-Container InvalidArgument',
    ]);
    assert.deepEqual(await runForJson(script, { ...env, HOME: '/tmp' }, { asNobody: true }), [
      'AccessDenied,Get-Container PermissionDenied',
    ]);
  });

  test('every command has a synopsis, a parameter text for each parameter, and an example that names it', async () => {
    const commands = await json<{ name: string; synopsis: string; example: string; undocumented: string[] }[]>(`
        Get-Command -Module Containers | Where-Object Name -notin Enter-PSSession, New-PSSession, Invoke-Command | ForEach-Object {
          $help = Get-Help $_.Name -Full
          $text = $_.Definition
          $common = [Management.Automation.PSCmdlet]::CommonParameters + 'WhatIf', 'Confirm'
          [pscustomobject]@{ name = $_.Name; synopsis = [string]$help.Synopsis; example = [string]($help.examples.example.code -join ' ')
            undocumented = @($_.Parameters.Keys | Where-Object { $_ -notin $common -and $text -notmatch "\\.PARAMETER $_\\s" }) }
        }`);
    assert.ok(commands.length >= 31, `${commands.length} commands`);
    for (const { name, synopsis, example, undocumented } of commands) {
      assert.ok(synopsis.trim() !== '' && !synopsis.includes('['), `${name}: ${synopsis}`);
      assert.ok(example.includes(name), `${name}: its example is "${example}"`);
      assert.deepEqual(undocumented, [], name);
    }
  });

  test('Tab offers containers, images and switches, quoted where they need it', async () => {
    const offers = (line: string) =>
      json<string[]>(`, @((TabExpansion2 '${line}' ${line.length}).CompletionMatches | ForEach-Object CompletionText)`);
    await text(`$null = New-Container ${named('tabbed')} -ContainerImageName nanoserver -SwitchName NAT`);
    assert.deepEqual(await offers('Start-Container tab'), [named('tabbed')]);
    assert.deepEqual(await offers('New-Container -ContainerImageName Nano'), ['NanoServer']);
    assert.deepEqual(await offers('New-Container -SwitchName V'), ["'Virtual Switch'"]);
    assert.deepEqual(await offers('Set-Container x -RuntimeType H'), ['HyperV']);
    await text(`Remove-Container ${named('tabbed')} -Force`);
  });
});
