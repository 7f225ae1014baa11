// The walkthrough of the technology's own documentation, typed at a prompt line by line as it is written there, and its
// tables as they were printed there. docs/walkthrough.md tells it.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startDaemon, type TestDaemon } from '../support/daemon.ts';
import { noPowerShell } from '../support/powershell.ts';
import { Prompt } from '../support/powershell-prompt.ts';

let daemon: TestDaemon;
before(async () => {
  if (noPowerShell === false) daemon = await startDaemon();
});
after(async () => {
  if (noPowerShell === false) await daemon[Symbol.asyncDispose]();
});

/** The longest that a session in an emulated machine takes to come up. */
const sessionTimeoutMs = 300_000;

const guid = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';

describe('the walkthrough', { skip: noPowerShell }, () => {
  const open = async () => {
    const ids = (await daemon.ok(['ps', '--all', '--quiet'])).split('\n').filter((id) => id !== '');
    if (ids.length > 0) await daemon.ok(['rm', '--force', ...ids]);
    return Prompt.open({ ...daemon.env, TWOFOLD_HOST: `unix://${daemon.socket}` });
  };

  test('1: a Hyper-V container is created, and New-Container gives it back', async () => {
    await using prompt = await open();
    assert.equal(
      await prompt.enter(
        '$con = New-Container -Name HYPVCON -ContainerImageName NanoServer -SwitchName "Virtual Switch" -RuntimeType HyperV',
      ),
      '',
    );
    assert.equal(
      await prompt.enter('$con'),
      'Name    State Uptime   ParentImageName\n----    ----- ------   ---------------\nHYPVCON Off   00:00:00 NanoServer',
    );
    assert.equal(
      await daemon.ok([
        'inspect',
        '--format',
        '{{.HostConfig.Isolation}} {{.State.Status}} {{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}',
        'HYPVCON',
      ]),
      'hyperv created Virtual Switch',
    );
  });

  test('2: one is converted, and back; what it wrote before is there after', async () => {
    await using prompt = await open();
    assert.equal(
      await prompt.enter('$con = New-Container -Name DEMO -ContainerImageName nanoserver -SwitchName NAT'),
      '',
    );
    assert.equal(
      await prompt.enter('Get-Container | Select ContainerName, RuntimeType      # DEMO  Default'),
      'ContainerName RuntimeType\n------------- -----------\nDEMO              Default',
    );
    await daemon.ok(['start', 'DEMO']);
    await daemon.ok(['exec', 'DEMO', 'sh', '-c', 'echo written before > /root/notes']);
    assert.match(await prompt.enter('Set-Container $con -RuntimeType HyperV'), /Set-Container:.*is running: stop it/s);
    await daemon.ok(['stop', '--time', '0', 'DEMO']);
    assert.equal(await prompt.enter('Set-Container $con -RuntimeType HyperV'), '');
    assert.equal(
      await prompt.enter('Get-Container | select ContainerName, RuntimeType      # DEMO  HyperV'),
      'ContainerName RuntimeType\n------------- -----------\nDEMO               HyperV',
    );
    await daemon.ok(['start', 'DEMO']);
    assert.equal(await daemon.ok(['exec', 'DEMO', 'cat', '/root/notes']), 'written before');
    await daemon.ok(['stop', '--time', '0', 'DEMO']);
    assert.equal(await prompt.enter('Set-Container $con -RuntimeType Default'), '');
    await daemon.ok(['start', 'DEMO']);
    assert.equal(await daemon.ok(['exec', 'DEMO', 'cat', '/root/notes']), 'written before');
    assert.equal(
      await daemon.ok(['inspect', '--format', '{{.HostConfig.Isolation}} {{.Twofold.Isolation}}', 'DEMO']),
      'default process',
    );
  });

  test('3: docker runs an image by its id on a terminal with cmd, and Get-Container shows the container', async () => {
    await using prompt = await open();
    const id = await daemon.ok(['images', '--quiet', 'nanoserver']);
    await prompt.type(`docker run -it --isolation=hyperv ${id} cmd`);
    await prompt.see(/stand-in for cmd\.exe \[Linux /, sessionTimeoutMs);
    await prompt.enter('exit');
    assert.match(
      await prompt.enter('Get-Container | Select RuntimeType, State'),
      /^RuntimeType State\n-+ -+\n +HyperV {3}Off$/,
    );
  });

  test('4: containers are matched with their worker processes', async () => {
    await using prompt = await open();
    await prompt.enter(
      '$con = New-Container -Name TST3 -ContainerImageName NanoServer -SwitchName "Virtual Switch" -RuntimeType HyperV',
    );
    await prompt.enter(
      '$other = New-Container -Name OTHER -ContainerImageName NanoServer -SwitchName "Virtual Switch"',
    );
    assert.match(
      await prompt.enter("Get-Container | Select Name, RuntimeType, ContainerID | Where {$_.RuntimeType -eq 'Hyperv'}"),
      new RegExp(`^Name RuntimeType ContainerI[dD]\n---- ----------- -----------\nTST3 {6}HyperV ${guid}$`),
    );
    assert.equal(await prompt.enter('Start-Container $con'), '');
    const dockerId = await daemon.ok(['inspect', '--format', '{{.Id}}', 'TST3']);
    const id = dockerId
      .slice(0, 32)
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
      .toUpperCase();
    assert.equal(
      await prompt.enter('Get-ComputeProcess'),
      `Id                                   Name Owner      Type\n--                                   ---- -----      ----\n${id} TST3 VMMS  Container`,
    );
    assert.equal(await prompt.enter(`docker inspect --format '{{.State.Status}}' ${id.toLowerCase()}`), 'running');
    assert.match(
      await prompt.enter('$user = (Get-ComputeProcess).UserName; ps -eo user:32,comm | where {$_ -match $user}'),
      new RegExp(`^${dockerId.slice(0, 32)} vmwp$`, 'm'),
    );
  });

  for (const runtimeType of ['Default', 'HyperV'] as const) {
    test(`5: the session process of a container with RuntimeType ${runtimeType} is seen inside, and ${runtimeType === 'HyperV' ? 'nowhere on the host' : 'is the same process on the host'}`, async () => {
      await using prompt = await open();
      // Others' containers on this machine have one, too.
      const ours = async () => [
        ...(
          await prompt.enter(
            "get-process | where {$_.ProcessName -eq 'csrss'} | where ContainerName -eq WINCONT | select Id, ContainerProcessId | Format-List",
          )
        ).matchAll(/^Id +: (\d+)\nContainerProcessId : (\d+)$/gm),
      ];
      assert.deepEqual(await ours(), []);
      await prompt.enter(
        `$con = New-Container -Name WINCONT -ContainerImageName WindowsServerCore -SwitchName "Virtual Switch"${runtimeType === 'HyperV' ? ' -RuntimeType HyperV' : ''}`,
      );
      assert.equal(await prompt.enter('Start-Container $con'), '');
      await prompt.enter('Enter-PSSession -ContainerId $con.ContainerId –RunAsAdministrator', sessionTimeoutMs);
      assert.match(await prompt.waiting(), /^\[WINCONT\]: PS .*>/);
      const inside = [
        ...(await prompt.enter("get-process | where {$_.ProcessName -eq 'csrss'}", sessionTimeoutMs)).matchAll(
          /^.*?(\d+) +\S+ +csrss$/gm,
        ),
      ];
      assert.equal(inside.length, 1);
      await prompt.enter('exit');
      assert.match(await prompt.waiting(), /^PS /);
      const seen = await prompt.enter("get-process | where {$_.ProcessName -eq 'csrss'}");
      const host = await ours();
      if (runtimeType === 'HyperV') return assert.deepEqual(host, []);
      assert.match(seen, new RegExp(`\\b${host[0]?.[1]} .*csrss$`, 'm'));
      assert.deepEqual(
        host.map((match) => match[2]),
        [inside[0]![1]],
      );
      assert.equal(await daemon.ok(['inspect', '--format', '{{.State.Pid}}', 'WINCONT']), host[0]![1]);
    });
  }
});
