// Network adapters as PowerShell has them, over the API's extension: several, also on one switch, connected or not; for
// both isolations.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Twofold, TwofoldApiError } from '@twofold/sdk';
import { daemonForTests } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';

const daemon = daemonForTests([], async () => {
  await twofold.networks.create('Lab', { subnet: '10.218.1.0/24' });
});
const twofold = new Twofold({ socketPath: daemon.socket });
after(() => twofold[Symbol.asyncDispose]());

const refused =
  (status: number, message: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof TwofoldApiError, String(error));
    assert.equal(error.status, status, error.message);
    assert.match(error.message, message);
    return true;
  };

for (const Isolation of isolations) {
  describe(`adapters of isolation ${Isolation}`, () => {
    const create = async (name: string, NetworkMode: string): Promise<string> => {
      await twofold.containers.create({
        Image: 'nanoserver',
        Cmd: ['sleep', '600'],
        name: `${name}-${Isolation}`,
        HostConfig: { Isolation, NetworkMode },
      });
      return `${name}-${Isolation}`;
    };
    const inside = (name: string, script: string) => daemon.ok(['exec', name, 'sh', '-c', script]);

    test('a container is made with one, which is changed, joined by others, disconnected and removed while it does not run', async () => {
      const name = await create('changing', 'nat');
      const [first, ...none] = await twofold.containers.adapters(name);
      assert.deepEqual(
        [first!.Name, first!.SwitchName, first!.MacAddress, none.length],
        ['Network Adapter', 'NAT', '', 0],
      );
      const second = await twofold.containers.addAdapter(name, {
        Name: 'Second',
        StaticMacAddress: '00-15-5D-01-02-03',
      });
      assert.deepEqual([second.SwitchName, second.StaticMacAddress], ['', '00:15:5d:01:02:03']);
      // Docker sees endpoints: one that is on no network is none.
      assert.deepEqual(Object.keys((await twofold.containers.inspect(name)).NetworkSettings.Networks), ['bridge']);
      await twofold.containers.changeAdapter(name, second.Id.toUpperCase(), {
        Switch: 'lab',
        StaticIPAddress: '10.218.1.9',
      });
      assert.deepEqual(Object.keys((await twofold.containers.inspect(name)).NetworkSettings.Networks), [
        'bridge',
        'Lab',
      ]);
      await assert.rejects(
        twofold.containers.changeAdapter(name, second.Id, { Switch: 'NAT' }),
        refused(400, /10\.218\.1\.9 is not an address of the network NAT/),
      );
      await twofold.containers.changeAdapter(name, first!.Id, { Switch: '' });
      await twofold.containers.start(name);
      assert.equal(
        await inside(
          name,
          'ls /sys/class/net | tr "\\n" " "; cat /sys/class/net/eth0/address; ip -4 -o addr show eth0 | awk \'{print $4}\'',
        ),
        'eth0 lo 00:15:5d:01:02:03\n10.218.1.9/24',
      );
      const running = await twofold.containers.adapters(name);
      assert.deepEqual(
        running.map((one) => [
          one.Name,
          one.InterfaceName,
          one.MacAddress,
          one.IPAddress,
          one.PrefixLength,
          one.Gateway,
        ]),
        [
          ['Network Adapter', '', '', '', 0, ''],
          ['Second', 'eth0', '00:15:5d:01:02:03', '10.218.1.9', 24, '10.218.1.1'],
        ],
      );
      for (const change of [
        () => twofold.containers.addAdapter(name),
        () => twofold.containers.changeAdapter(name, second.Id, { Name: 'x' }),
        () => twofold.containers.removeAdapter(name, second.Id),
      ]) {
        await assert.rejects(change, refused(501, /adapters of a running container/));
      }
      await twofold.containers.stop(name, { timeoutSeconds: 0 });
      await twofold.containers.removeAdapter(name, second.Id);
      await assert.rejects(twofold.containers.removeAdapter(name, second.Id), refused(404, /no network adapter/));
      await twofold.containers.start(name);
      assert.equal(await inside(name, 'ls /sys/class/net'), 'lo');
      await twofold.containers.remove(name, { force: true });
    });

    test('what could never start is refused at once', async () => {
      const name = await create('refusing', 'Lab');
      const add = (adapter: Parameters<typeof twofold.containers.addAdapter>[1]) =>
        twofold.containers.addAdapter(name, adapter);
      await assert.rejects(add({ StaticMacAddress: '01:00:5e:00:00:01' }), refused(400, /is not a MAC address/));
      await assert.rejects(
        add({ Switch: 'Lab', StaticIPAddress: '10.218.1.1' }),
        refused(400, /belongs to the gateway of Lab/),
      );
      await assert.rejects(add({ StaticIPAddress: 'ten' }), refused(400, /ten is not an IPv4 address/));
      await assert.rejects(add({ Switch: 'Elsewhere' }), refused(404, /network Elsewhere not found/));
      await assert.rejects(add({ Name: '' }), refused(400, /name/));
      await assert.rejects(add({ Swich: 'Lab' } as object), refused(400, /Swich/));
      await add({ Switch: 'Lab', StaticIPAddress: '10.218.1.20', StaticMacAddress: '02:00:00:00:00:20' });
      await assert.rejects(
        add({ Switch: 'Lab', StaticIPAddress: '10.218.1.20' }),
        refused(409, /Two of the container's adapters/),
      );
      await assert.rejects(add({ StaticMacAddress: '020000000020' }), refused(409, /Two of the container's adapters/));
      for (let count = 2; count < 8; count += 1) await add({});
      await assert.rejects(add({}), refused(400, /at most 8 network adapters/));
      await twofold.containers.remove(name);
    });

    test('two on one switch both carry traffic, each under its own address, beside one on another switch', async () => {
      const name = await create('twins', 'none');
      for (const adapter of [
        { Switch: 'Lab', StaticIPAddress: '10.218.1.31' },
        { Switch: 'Lab', StaticIPAddress: '10.218.1.32', Aliases: ['twin'] },
        { Switch: 'Virtual Switch' },
      ])
        await twofold.containers.addAdapter(name, adapter);
      await daemon.ok([
        'run',
        '--detach',
        '--isolation=process',
        '--name',
        `peer-${Isolation}`,
        '--network',
        'Lab',
        '--ip',
        '10.218.1.40',
        'nanoserver',
        'sleep',
        '600',
      ]);
      await twofold.containers.start(name);
      for (const address of ['10.218.1.31', '10.218.1.32', 'twin'])
        assert.match(
          await daemon.ok(['exec', `peer-${Isolation}`, 'ping', '-c', '1', '-W', '5', address]),
          / 0% packet loss/,
          address,
        );
      for (const source of ['eth0', 'eth1', '10.218.1.31', '10.218.1.32'])
        assert.match(await inside(name, `ping -c 1 -W 5 -I ${source} 10.218.1.40`), / 0% packet loss/, source);
      const third = (await twofold.containers.adapters(name))[2]!;
      assert.equal(third.InterfaceName, 'eth2');
      assert.match(await inside(name, `ping -c 1 -W 5 ${third.Gateway}`), / 0% packet loss/);
      assert.deepEqual(
        (await twofold.switches())
          .find((one) => one.Name === 'Lab')!
          .Endpoints.filter((one) => one.ContainerName === name)
          .map((one) => one.Addresses),
        [['10.218.1.31/24'], ['10.218.1.32/24']],
      );
      // Docker's view has one of them.
      assert.deepEqual(
        Object.values((await twofold.containers.inspect(name)).NetworkSettings.Networks).map((one) => one.IPAddress),
        ['10.218.1.31', third.IPAddress],
      );
      await daemon.ok(['rm', '--force', `peer-${Isolation}`, name]);
    });

    test('they are kept by a conversion', async () => {
      const name = await create('converted', 'Lab');
      await twofold.containers.addAdapter(name, {
        Name: 'Second',
        Switch: 'Virtual Switch',
        StaticMacAddress: '02:00:00:00:00:77',
      });
      const before = await twofold.containers.adapters(name);
      await twofold.containers.convert(name, Isolation === 'process' ? 'hyperv' : 'process');
      assert.deepEqual(await twofold.containers.adapters(name), before);
      await twofold.containers.start(name);
      assert.equal(await inside(name, 'cat /sys/class/net/eth1/address'), '02:00:00:00:00:77');
      await twofold.containers.remove(name, { force: true });
    });
  });
}

test('a worker that is ended is known as ended to everybody at once, and no policy starts it again', async () => {
  await daemon.ok([
    'run',
    '--detach',
    '--isolation=hyperv',
    '--name',
    'hard',
    '--restart',
    'always',
    'nanoserver',
    'sleep',
    '600',
  ]);
  await daemon.ok(['run', '--detach', '--isolation=process', '--name', 'soft', 'nanoserver', 'sleep', '600']);
  const [worker] = await twofold.compute();
  assert.equal(worker!.Name, 'hard');
  await assert.rejects(twofold.stopCompute('soft'), refused(404, /No such compute process: soft/));
  await assert.rejects(twofold.stopCompute('nobody'), refused(404, /No such compute process: nobody/));
  assert.equal(await daemon.ok(['inspect', '--format', '{{.State.Running}}', 'soft']), 'true');
  await twofold.stopCompute(worker!.Id);
  assert.deepEqual(await twofold.compute(), []);
  assert.equal(await daemon.ok(['inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', 'hard']), 'exited 137');
  assert.equal(await daemon.ok(['ps', '--format', '{{.Names}}']), 'soft');
  await assert.rejects(twofold.stopCompute(worker!.Id), refused(404, /No such compute process/));
  await twofold.containers.start('hard');
  assert.equal((await twofold.compute()).length, 1);
  await daemon.ok(['rm', '--force', 'hard', 'soft']);
});
