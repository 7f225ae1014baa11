// The stock docker CLI's `network`, and its words about networks in `create` and `run`, with the same outcome under
// both isolations.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { daemonForTests } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';

const daemon = daemonForTests([], async (daemon) => {
  for (const [name, subnet] of [
    ['Lab', '10.217.1.0/24'],
    ['Rear', '10.217.2.0/24'],
  ] as const)
    await daemon.ok(['network', 'create', '--driver', 'nat', '--subnet', subnet, name]);
  await daemon.ok(['network', 'create', '--internal', '--subnet', '10.217.3.0/24', 'Inner']);
});

const IMAGE = 'nanoserver';
const refused = async (words: readonly string[], message: RegExp) => {
  const result = await daemon.docker(words);
  assert.notEqual(result.code, 0, `docker ${words.join(' ')}`);
  assert.match(result.stderr, message);
};
const networksOf = async (name: string) =>
  JSON.parse(await daemon.ok(['inspect', '--format', '{{json .NetworkSettings.Networks}}', name])) as Record<
    string,
    {
      IPAddress: string;
      MacAddress: string;
      Gateway: string;
      Aliases: string[] | null;
      IPAMConfig: { IPv4Address: string } | null;
    }
  >;

test('networks are made, listed, filtered, looked at and removed', async () => {
  await daemon.ok([
    'network',
    'create',
    '--label',
    'stage=test',
    '--subnet',
    '10.217.9.0/24',
    '--ip-range',
    '10.217.9.64/26',
    '--gateway',
    '10.217.9.254',
    '-o',
    'com.docker.network.driver.mtu=1400',
    'Short',
  ]);
  assert.deepEqual(
    (await daemon.ok(['network', 'ls', '--format', '{{.Name}} {{.Driver}}', '--filter', 'label=stage=test'])).split(
      '\n',
    ),
    ['Short bridge'],
  );
  const shown = JSON.parse(await daemon.ok(['network', 'inspect', 'SHORT']))[0] as Record<string, unknown>;
  assert.deepEqual(
    [shown['Name'], shown['Internal'], shown['Labels'], shown['IPAM']],
    [
      'Short',
      false,
      { stage: 'test' },
      {
        Driver: 'default',
        Options: null,
        Config: [{ Subnet: '10.217.9.0/24', IPRange: '10.217.9.64/26', Gateway: '10.217.9.254' }],
      },
    ],
  );
  await refused(['network', 'create', 'short'], /network with name short already exists/);
  await refused(
    ['network', 'create', '--subnet', '10.217.9.128/25', 'other'],
    /Pool overlaps with other one on this address space/,
  );
  await refused(['network', 'create', '--driver', 'macvlan', 'other'], /the network driver "macvlan"/);
  await refused(
    ['network', 'create', '--subnet', '10.217.8.0/24', '--aux-address', 'a=10.217.8.9', 'other'],
    /--aux-address/,
  );
  await refused(
    ['network', 'create', '-o', 'com.docker.network.bridge.name=br9', 'other'],
    /com\.docker\.network\.bridge\.name=br9/,
  );
  await refused(['network', 'create', '--subnet', '10.217.8.0/24', '--gateway', '10.9.9.9', 'other'], /10\.9\.9\.9/);
  assert.equal(await daemon.ok(['network', 'rm', 'sHORT']), 'sHORT');
  await refused(['network', 'inspect', 'Short'], /network Short not found/);
  for (const name of ['NAT', 'bridge', 'Virtual Switch', 'none'])
    await refused(['network', 'rm', name], /is a pre-defined network and cannot be removed/);
  await daemon.ok(['network', 'create', 'idle']);
  assert.match(await daemon.ok(['network', 'prune', '--force', '--filter', 'label!=keep']), /idle/);
  for (const [name, subnet] of [
    ['Lab', '10.217.1.0/24'],
    ['Rear', '10.217.2.0/24'],
  ] as const)
    await daemon.ok(['network', 'create', '--driver', 'nat', '--subnet', subnet, name]);
  await daemon.ok(['network', 'create', '--internal', '--subnet', '10.217.3.0/24', 'Inner']);
});

test('the same words on networks give the same under both isolations, inside and outside', async () => {
  const seen = [];
  for (const isolation of isolations) {
    const name = `same-${isolation}`;
    await daemon.ok([
      'create',
      `--isolation=${isolation}`,
      '--name',
      name,
      '--hostname',
      'same',
      '--network',
      'name=Rear,ip=10.217.2.77,mac-address=02:00:00:00:02:77',
      '--network',
      'name=Inner,alias=deep',
      IMAGE,
      'sleep',
      '600',
    ]);
    await daemon.ok(['network', 'connect', '--ip', '10.217.1.50', '--alias', 'front', 'lab', name]);
    await daemon.ok(['start', name]);
    const networks = await networksOf(name);
    assert.deepEqual(Object.keys(networks).sort(), ['Inner', 'Lab', 'Rear']);
    const inside = await daemon.ok([
      'exec',
      name,
      'sh',
      '-c',
      "ip -4 -o addr show scope global | awk '{print $2, $4}'; ip route | grep default; cat /sys/class/net/eth0/address; grep same /etc/hosts | wc -l; cat /etc/resolv.conf | grep nameserver",
    ]);
    seen.push(inside.replaceAll(networks['Inner']!.IPAddress, 'INNER'));
    await daemon.ok(['rm', '--force', name]);
  }
  assert.equal(seen[0], seen[1]);
  assert.deepEqual(seen[0]!.split('\n'), [
    'eth0 10.217.2.77/24',
    'eth1 INNER/24',
    'eth2 10.217.1.50/24',
    'default via 10.217.2.1 dev eth0 ',
    '02:00:00:00:02:77',
    '3',
    'nameserver 10.217.2.1',
  ]);
});

for (const isolation of isolations) {
  describe(`networks of a container of isolation ${isolation}`, () => {
    const own = (name: string) => `${name}-${isolation}`;
    const create = (name: string, ...words: string[]) =>
      daemon.ok(['create', `--isolation=${isolation}`, '--name', own(name), ...words, IMAGE, 'sleep', '600']);
    const inside = (name: string, script: string) => daemon.ok(['exec', own(name), 'sh', '-c', script]);

    test('a stopped one is connected and disconnected, a running one not yet', async () => {
      await create('moving', '--network', 'Lab');
      await daemon.ok(['network', 'connect', 'Rear', own('moving')]);
      await daemon.ok(['network', 'disconnect', 'Lab', own('moving')]);
      await refused(['network', 'disconnect', 'Lab', own('moving')], /is not connected to the network Lab/);
      await refused(
        ['network', 'connect', '--ip', '10.217.1.9', 'Rear', own('moving')],
        /10\.217\.1\.9 is not an address of the network Rear/,
      );
      await daemon.ok(['start', own('moving')]);
      assert.deepEqual(Object.keys(await networksOf(own('moving'))), ['Rear']);
      assert.match(await inside('moving', 'ip -4 -o addr show eth0'), /10\.217\.2\./);
      assert.equal(
        await daemon.ok(['network', 'inspect', '--format', '{{range .Containers}}{{.Name}}{{end}}', 'Rear']),
        own('moving'),
      );
      for (const word of ['connect', 'disconnect'])
        await refused(['network', word, 'Rear', own('moving')], /changing network adapters of a running container/);
      await refused(['network', 'rm', 'Rear'], /has active endpoints/);
      await daemon.ok(['stop', '--time', '0', own('moving')]);
      await daemon.ok(['network', 'disconnect', '--force', 'Rear', own('moving')]);
      await daemon.ok(['start', own('moving')]);
      assert.deepEqual(await networksOf(own('moving')), {});
      assert.equal(await inside('moving', 'ls /sys/class/net'), 'lo');
      await daemon.ok(['rm', '--force', own('moving')]);
    });

    test('every interface carries traffic of its own, and names of all networks are known', async () => {
      await daemon.ok([
        'run',
        '--detach',
        '--isolation=process',
        '--name',
        own('front'),
        '--network',
        'Lab',
        '--ip',
        '10.217.1.100',
        IMAGE,
        'sleep',
        '600',
      ]);
      await daemon.ok([
        'run',
        '--detach',
        '--isolation=process',
        '--name',
        own('rear'),
        '--network',
        'name=Rear,alias=store',
        '--ip',
        '10.217.2.100',
        IMAGE,
        'sleep',
        '600',
      ]);
      await create('both', '--network', 'Lab', '--network', 'Rear');
      await daemon.ok(['start', own('both')]);
      const addresses = await networksOf(own('both'));
      for (const neighbour of ['10.217.1.100', '10.217.2.100', own('front'), own('rear'), 'store'])
        assert.match(await inside('both', `ping -c 1 -W 5 ${neighbour}`), / 0% packet loss/, neighbour);
      // From each side the container answers under the address that it has there, and by its name.
      assert.match(
        await daemon.ok(['exec', own('front'), 'ping', '-c', '1', '-W', '5', own('both')]),
        new RegExp(`${addresses['Lab']!.IPAddress}.* 0% packet loss`, 's'),
      );
      assert.match(
        await daemon.ok(['exec', own('rear'), 'ping', '-c', '1', '-W', '5', own('both')]),
        new RegExp(`${addresses['Rear']!.IPAddress}.* 0% packet loss`, 's'),
      );
      // The neighbours are on one network each and know nothing of the other.
      assert.notEqual(
        (await daemon.docker(['exec', own('front'), 'ping', '-c', '1', '-W', '1', '10.217.2.100'])).code,
        0,
      );
      await refused(['exec', own('front'), 'nslookup', 'store'], /.*/);
      await daemon.ok(['rm', '--force', own('both'), own('front'), own('rear')]);
    });

    test('a network that was removed is told at the start, and can be left', async () => {
      await daemon.ok(['network', 'create', own('gone')]);
      await create('left', '--network', own('gone'));
      await daemon.ok(['network', 'rm', own('gone')]);
      await refused(['start', own('left')], new RegExp(`network ${own('gone')} not found`));
      await daemon.ok(['network', 'disconnect', own('gone'), own('left')]);
      await daemon.ok(['network', 'connect', 'Lab', own('left')]);
      await daemon.ok(['start', own('left')]);
      await daemon.ok(['rm', '--force', own('left')]);
    });

    test('an address that another running container has is refused at the start', async () => {
      await daemon.ok([
        'run',
        '--detach',
        '--isolation=process',
        '--name',
        own('holder'),
        '--network',
        'Lab',
        '--ip',
        '10.217.1.200',
        IMAGE,
        'sleep',
        '600',
      ]);
      await create('late', '--network', 'Lab', '--ip', '10.217.1.200');
      await refused(['start', own('late')], /The address 10\.217\.1\.200 is already in use on Lab/);
      await daemon.ok(['stop', '--time', '0', own('holder')]);
      await daemon.ok(['start', own('late')]);
      assert.equal((await networksOf(own('late')))['Lab']!.IPAddress, '10.217.1.200');
      await daemon.ok(['rm', '--force', own('late'), own('holder')]);
    });

    test('without a network there is only the loopback, and nothing is connected beside it', async () => {
      await create('alone', '--network', 'none');
      await refused(['network', 'connect', 'Lab', own('alone')], /private \(none\) mode/);
      await daemon.ok(['network', 'disconnect', 'none', own('alone')]);
      await daemon.ok(['network', 'connect', 'none', own('alone')]);
      await daemon.ok(['start', own('alone')]);
      assert.equal(await inside('alone', 'ls /sys/class/net'), 'lo');
      await daemon.ok(['rm', '--force', own('alone')]);
    });
  });
}

test('events tell of networks that come and go, and of containers that come onto them and leave', async () => {
  const since = (Date.now() / 1000).toFixed(3);
  await daemon.ok(['network', 'create', 'told']);
  for (const isolation of isolations)
    await daemon.ok(['run', '--rm', `--isolation=${isolation}`, '--network', 'told', IMAGE, 'true']);
  await daemon.ok(['network', 'rm', 'told']);
  const events = await daemon.ok([
    'events',
    '--since',
    since,
    '--until',
    (Date.now() / 1000 + 1).toFixed(3),
    '--filter',
    'type=network',
    '--format',
    '{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}}',
  ]);
  assert.deepEqual(
    events.split('\n'),
    ['create', 'connect', 'disconnect', 'connect', 'disconnect', 'destroy'].map((action) => `${action} told bridge`),
  );
});

test('networks and connections are there again after kill -9 of the daemon and after a reboot of the host', async () => {
  for (const isolation of isolations)
    await daemon.ok([
      'run',
      '--detach',
      `--isolation=${isolation}`,
      '--name',
      `kept-${isolation}`,
      '--network',
      'Lab',
      '--network',
      'Inner',
      IMAGE,
      'sleep',
      '600',
    ]);
  await daemon.kill('SIGKILL');
  await daemon.start();
  const peer = { process: 'kept-hyperv', hyperv: 'kept-process' } as const;
  for (const isolation of isolations)
    assert.match(
      await daemon.ok(['exec', `kept-${isolation}`, 'ping', '-c', '1', '-W', '5', peer[isolation]]),
      / 0% packet loss/,
    );
  await refused(['network', 'rm', 'Inner'], /has active endpoints/);
  await daemon.kill('SIGKILL');
  await daemon.reboot();
  await daemon.start();
  for (const isolation of isolations) await daemon.ok(['start', `kept-${isolation}`]);
  for (const isolation of isolations)
    assert.match(
      await daemon.ok(['exec', `kept-${isolation}`, 'ping', '-c', '1', '-W', '5', peer[isolation]]),
      / 0% packet loss/,
    );
  assert.equal(await daemon.ok(['network', 'inspect', '--format', '{{len .Containers}}', 'Inner']), '2');
  for (const isolation of isolations) await daemon.ok(['rm', '--force', `kept-${isolation}`]);
});

test('the default network is `bridge` for Docker, and NAT by name', async () => {
  const shown = JSON.parse(await daemon.ok(['network', 'inspect', 'bridge', 'NAT'])) as Record<string, unknown>[];
  assert.deepEqual(
    shown.map(({ Name, Driver }) => [Name, Driver]),
    [
      ['bridge', 'bridge'],
      ['bridge', 'bridge'],
    ],
  );
  assert.deepEqual(
    (shown[0]!['Options'] as Record<string, string>)['com.docker.network.bridge.default_bridge'],
    'true',
  );
  assert.equal(await daemon.ok(['network', 'inspect', '--format', '{{json .Options}}', 'Lab']), '{}');
  assert.equal(await daemon.ok(['network', 'ls', '--filter', 'name=^bridge$', '--format', '{{.Name}}']), 'bridge');
  const since = (Date.now() / 1000).toFixed(3);
  const asked = [[], ['--network', 'bridge'], ['--network', 'default'], ['--network', 'NAT']];
  const modes = ['default|bridge', 'bridge', 'default', 'bridge'];
  for (const [index, words] of asked.entries()) {
    const name = `default-${index}`;
    await daemon.ok(['run', '--detach', '--name', name, ...words, IMAGE, 'sleep', '1000']);
    assert.deepEqual(Object.keys(await networksOf(name)), ['bridge'], words.join(' '));
    assert.match(
      await daemon.ok(['inspect', '--format', '{{.HostConfig.NetworkMode}}', name]),
      new RegExp(`^(${modes[index]})$`),
    );
  }
  const found = async (...words: string[]) => (await daemon.ok(words)).split('\n').filter((line) => line !== '').length;
  const members = '{{range .Containers}}{{println .Name}}{{end}}';
  assert.equal(await found('network', 'inspect', '--format', members, 'bridge'), asked.length);
  for (const network of ['bridge', 'NAT', 'default'])
    assert.equal(await found('ps', '--quiet', '--filter', `network=${network}`), asked.length, network);
  await daemon.ok(['rm', '--force', ...asked.map((_, index) => `default-${index}`)]);
  for (const network of ['bridge', 'NAT']) {
    const told = ['events', '--since', since, '--until', (Date.now() / 1000 + 1).toFixed(3), '--filter'];
    const names = await daemon.ok([...told, `network=${network}`, '--format', '{{.Actor.Attributes.name}}']);
    assert.deepEqual([...new Set(names.split('\n'))], ['bridge'], network);
  }
});

test('outside a swarm its words are 503 in the sentences of dockerd, and there are no plugins', async () => {
  for (const words of [
    'node ls',
    'service ls',
    'stack ls',
    'secret ls',
    'config ls',
    'service ps x',
    'swarm unlock-key',
  ])
    await refused(words.split(' '), /This node is not a swarm manager\. Use "docker swarm init"/);
  await refused(['swarm', 'leave'], /This node is not part of a swarm/);
  assert.equal(await daemon.ok(['plugin', 'ls', '--quiet']), '');
  await refused(['plugin', 'inspect', 'x'], /plugin "x" not found/);
});
