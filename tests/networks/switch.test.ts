// Real bridges, veths and rules, with a prefix and an address pool of their own. Containers are `unshare -n` processes
// here.

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { decode, encode } from 'dns-packet';
import { newAdapterId, newId, type ContainerId } from '@twofold/contract';
import { runCommand } from '../../packages/daemon/src/host/command.ts';
import { parseSubnet } from '../../packages/daemon/src/networks/addresses.ts';
import { openNameServer } from '../../packages/daemon/src/networks/name-server.ts';
import { makeDirectory } from '../../packages/daemon/src/networks/names.ts';
import { openNetworks } from '../../packages/daemon/src/networks/open.ts';
import { openDatabase } from '../../packages/daemon/src/state/database.ts';
import { until } from '../support/until.ts';
import { program } from '../support/library.ts';
import type { Endpoint, Network, Networks, Request } from '../../packages/daemon/src/networks/networks.ts';

const prefix = 'tn';
const settings = { linkPrefix: prefix, addressPools: [{ base: '10.213.0.0/16', size: 24 }] };
const signal = AbortSignal.timeout(60_000);
const warnings: string[] = [];
const namespaces: ChildProcess[] = [];
let networks: Networks & AsyncDisposable;

/** A process that holds a network namespace; its pid stands for the container's. */
async function openNamespace(): Promise<number> {
  const own = await readlink('/proc/self/ns/net');
  const child = spawn('unshare', ['--net', 'sleep', '120'], { stdio: 'ignore' });
  await once(child, 'spawn');
  namespaces.push(child);
  while ((await readlink(`/proc/${child.pid!}/ns/net`)) === own) signal.throwIfAborted();
  return child.pid!;
}

function inside(pid: number, words: readonly string[], accept: readonly number[] = [0]) {
  return runCommand('look from inside', ['nsenter', `--net=/proc/${pid}/ns/net`, ...words], {
    accept,
    timeoutMs: 15_000,
  });
}

/** An endpoint of a container of its own, or of the one that is named. */
function reserve(network: Network, names: readonly string[], wanted: Partial<Request> = {}): Endpoint {
  return networks.reserve({
    network: network.id,
    container: newId<ContainerId>(),
    adapter: newAdapterId(),
    name: 'eth0',
    names,
    ...wanted,
  });
}

async function join(endpoint: Endpoint): Promise<number> {
  const pid = await openNamespace();
  await networks.connect(endpoint, 'veth', pid, signal);
  const lines = [
    'link set lo up',
    `address add ${endpoint.addresses[0]!} dev eth0`,
    'link set eth0 up',
    ...(endpoint.gateway === undefined ? [] : [`route add default via ${endpoint.gateway}`]),
  ];
  await runCommand('configure inside', ['nsenter', `--net=/proc/${pid}/ns/net`, 'ip', '-batch', '-'], {
    input: `${lines.join('\n')}\n`,
  });
  return pid;
}

/** Exit code 0 when a TCP connection from inside says what the server at the other end was told to say. */
const client = (host: string, port: number) => [
  'node',
  '-e',
  `
  const s = require('node:net').connect({ host: '${host}', port: ${port} });
  s.setTimeout(2000, () => process.exit(2)); s.on('error', () => process.exit(3));
  s.on('data', (d) => { console.log(String(d)); process.exit(0); });`,
];
const node = (words: string[]) => [process.execPath, ...words.slice(1)];

async function serve(pid: number, address: string): Promise<void> {
  const script = `require('node:net').createServer((s) => s.end(s.remoteAddress)).listen(7000, '${address}', () => console.log('up'))`;
  const child = spawn('nsenter', [`--net=/proc/${pid}/ns/net`, process.execPath, '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  namespaces.push(child);
  await once(child.stdout, 'data');
}

const database = openDatabase(':memory:');
const open = (linkTool = program('twofold-links')) =>
  openNetworks({ settings, database, warn: (sentence) => warnings.push(sentence), linkTool });

before(async () => {
  networks = await open();
});

after(async () => {
  for (const child of namespaces) child.kill('SIGKILL');
  await networks.removeAll();
  await networks[Symbol.asyncDispose]();
  await runCommand('remove the outside', ['ip', 'link', 'delete', 'dev', 'tnout'], { accept: [0, 1] });
  assert.deepEqual(
    (await readdir('/sys/class/net')).filter((link) => link.startsWith(prefix)),
    [],
  );
  const { stdout } = await runCommand('list tables', ['nft', 'list', 'tables']);
  assert.doesNotMatch(stdout.toString('utf8'), /twofold_tn/);
});

test("the built-in switches are there, and docker's names lead to NAT", () => {
  assert.deepEqual(
    networks.list().map((n) => n.name),
    ['NAT', 'Virtual Switch', 'none', 'host'],
  );
  for (const name of ['nat', 'bridge', 'default', 'NAT']) assert.equal(networks.find(name).name, 'NAT');
  assert.equal(networks.find('virtual switch').bridge, 'tn1');
  assert.throws(() => networks.find('elsewhere'), { code: 'network-not-found' });
});

test("containers on one switch reach each other, the world through the host's address, and no other switch", async () => {
  const nat = networks.find('NAT');
  const one = reserve(nat, ['one']);
  const two = reserve(nat, ['two']);
  const other = reserve(networks.find('Virtual Switch'), ['other']);
  const [a, b, c] = [await join(one), await join(two), await join(other)];
  const address = (e: Endpoint) => e.addresses[0]!.split('/')[0]!;

  // The outside: a host of its own behind a link of the host's.
  const outside = await openNamespace();
  await runCommand('make the outside', ['ip', '-batch', '-'], {
    input: `link add tnout type veth peer name eth0 netns ${outside}\naddress add 198.51.100.1/30 dev tnout\nlink set tnout up\n`,
  });
  await runCommand('configure the outside', ['nsenter', `--net=/proc/${outside}/ns/net`, 'ip', '-batch', '-'], {
    input: 'address add 198.51.100.2/30 dev eth0\nlink set eth0 up\n',
  });

  await serve(b, address(two));
  await serve(outside, '198.51.100.2');
  assert.equal((await inside(a, node(client(address(two), 7000)))).stdout.toString().trim(), address(one));
  assert.equal((await inside(a, node(client('198.51.100.2', 7000)))).stdout.toString().trim(), '198.51.100.1');
  assert.notEqual((await inside(c, node(client(address(two), 7000)), [0, 2, 3])).exitCode, 0);

  // A second connect leaves the link as it is.
  const before = (await inside(a, ['ip', '-o', 'link', 'show', 'eth0'])).stdout.toString();
  await networks.connect(one, 'veth', a, signal);
  assert.equal((await inside(a, ['ip', '-o', 'link', 'show', 'eth0'])).stdout.toString(), before);

  // Another's address, used from one's own port, reaches nobody.
  await inside(a, ['ip', 'address', 'replace', '10.213.0.77/24', 'dev', 'eth0']);
  const forged = client(address(two), 7000);
  forged[2] = forged[2]!.replace('port: 7000', "port: 7000, localAddress: '10.213.0.77'");
  assert.notEqual((await inside(a, node(forged), [0, 2, 3])).exitCode, 0);

  await networks.disconnect(one);
  await networks.disconnect(one);
  networks.release(one.container);
  assert.deepEqual(networks.endpointsOf(one.container), []);
  await assert.rejects(networks.remove('NAT'), { code: 'forbidden' });
});

/** A whole frame as hexadecimal digits. */
function ethernet(to: string, from: string, type: string, payload: string): string {
  return [to, from, type, payload].join('').replaceAll(':', '');
}

const hexAddress = (ip: string) => Buffer.from(ip.split('.').map(Number)).toString('hex');
const hexNumbers = (...numbers: number[]) => numbers.map((n) => n.toString(16).padStart(4, '0')).join('');

/** A datagram of 18 bytes. */
function udp(from: string, to: string, fromPort: number, toPort: number, payload: string): string {
  const bytes = Buffer.from(`4500002e0000000040110000${hexAddress(from)}${hexAddress(to)}`, 'hex');
  let sum = 0;
  for (let at = 0; at < 20; at += 2) sum += bytes.readUInt16BE(at);
  bytes.writeUInt16BE(0xffff - ((sum & 0xffff) + (sum >> 16)), 10);
  return bytes.toString('hex') + hexNumbers(fromPort, toPort, 26, 0) + payload;
}

const arp = (mac: string, ip: string, asked: string) =>
  `0001080006040001${mac}${hexAddress(ip)}000000000000${hexAddress(asked)}`;

/** Sends frames as they are. Node has no such sockets; Perl is on every Debian. */
const sender = String.raw`socket(my $s, 17, 3, 0) or die; my ($index) = qx(ip -o link show eth0) =~ /^(\d+)/;
  for (@ARGV) { send($s, pack('H*', $_), 0, pack('S n i S C C x8', 17, 0, $index, 0, 0, 6)) or die $! }`;

/** Prints the frames that come. */
const listener = String.raw`$| = 1; socket(my $s, 17, 3, 0x0300) or die; print "up\n";
  while (my $from = recv($s, my $bytes, 2000, 0)) { my $hex = unpack('H*', $bytes);
    print "$hex\n" if (unpack('S n i S C', $from))[4] != 4 }`;

test("a port cannot take a neighbour's MAC, whatever it sends, and sends nothing but its own IPv4 and ARP", async () => {
  const nat = networks.find('NAT');
  const [one, two] = [reserve(nat, ['thief']), reserve(nat, ['victim'])];
  const [thief, victim] = [await join(one), await join(two)];
  const [own, other] = [one, two].map(({ addresses }) => addresses[0]!.split('/')[0]!) as [string, string];
  const everybody = 'ff:ff:ff:ff:ff:ff';
  const frames: Record<string, (mark: string) => string> = {
    "ARP in a neighbour's frame": (mark) => ethernet(everybody, two.mac, '0806', arp(one.mac, own, other) + mark),
    "ARP with a neighbour's MAC in it": (mark) => ethernet(everybody, one.mac, '0806', arp(two.mac, own, other) + mark),
    "ARP for a neighbour's address": (mark) => ethernet(everybody, one.mac, '0806', arp(one.mac, other, own) + mark),
    "ARP for the gateway's address": (mark) =>
      ethernet(everybody, one.mac, '0806', arp(one.mac, nat.gateway, other) + mark),
    'ARP with long addresses': (mark) =>
      ethernet(everybody, one.mac, '0806', arp(one.mac, own, other).replace('0604', '0804') + mark),
    "IPv4 in a neighbour's frame": (mark) => ethernet(everybody, two.mac, '0800', udp(own, other, 9, 9, mark)),
    'IPv4 that is tagged': (mark) => ethernet(two.mac, one.mac, '81000005', `0800${udp(own, other, 9, 9, mark)}`),
    'IPv4 with a tag of no VLAN': (mark) =>
      ethernet(two.mac, one.mac, '81000000', `0800${udp(own, other, 9, 9, mark)}`),
    'IPv4 that is tagged twice': (mark) =>
      ethernet(two.mac, one.mac, '88a80005', `810000050800${udp(own, other, 9, 9, mark)}`),
    'a question of DHCP': (mark) =>
      ethernet(everybody, one.mac, '0800', udp('0.0.0.0', '255.255.255.255', 68, 67, mark)),
    'an answer of DHCP': (mark) => ethernet(everybody, one.mac, '0800', udp(own, '255.255.255.255', 67, 68, mark)),
    'an advertisement of IPv6': (mark) => ethernet('33:33:00:00:00:01', one.mac, '86dd', `6000000000003aff${mark}`),
    'something else': (mark) => ethernet(two.mac, two.mac, '88b5', mark),
    // No rule sees these: they are for the bridge itself.
    "a neighbour's frame to the bridge": (mark) => ethernet('01:80:c2:00:00:00', two.mac, '0026', `424203${mark}`),
    "a neighbour's frame to who looks for bridges": (mark) => ethernet('01:80:c2:00:00:0e', two.mac, '88cc', mark),
  };
  // What the frame is known by at the other end, whatever becomes of tags and padding on the way.
  const mark = (index: number) => index.toString(16).padStart(4, 'f00d').repeat(9);
  const sent = Object.values(frames).map((frame, index) => frame(mark(index)));
  const allowed = mark(sent.length);
  sent.push(ethernet(two.mac, one.mac, '0800', udp(own, other, 9, 9, allowed)));

  const ears = spawn('nsenter', [`--net=/proc/${victim}/ns/net`, 'perl', '-e', listener]);
  namespaces.push(ears);
  let text = '';
  ears.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await until('the victim listens', () => text.startsWith('up\n'));
  await inside(thief, ['perl', '-e', sender, '--', ...sent]);
  await until('what may be sent to arrive', () => text.includes(allowed));
  assert.deepEqual(
    Object.keys(frames).filter((_, index) => text.includes(mark(index))),
    [],
  );

  // Where the bridge looks for them: one place each, which is not learned, and is the right one.
  const { stdout } = await runCommand('read the forwarding table', [
    'bridge',
    '-json',
    'fdb',
    'show',
    'br',
    nat.bridge,
  ]);
  const places = (JSON.parse(stdout.toString('utf8')) as { mac: string; ifname: string; state?: string }[])
    .filter(({ mac }) => [one.mac, two.mac].includes(mac))
    .map(({ mac, ifname, state }) => [mac, ifname, state]);
  assert.deepEqual(
    places.toSorted((a, b) => (a[0]! < b[0]! ? -1 : 1)),
    [
      [one.mac, one.hostName, 'static'],
      [two.mac, two.hostName, 'static'],
    ],
  );
  await serve(victim, other);
  assert.equal((await inside(thief, node(client(other, 7000)))).stdout.toString().trim(), own);
  for (const endpoint of [one, two]) networks.release(endpoint.container);
});

test("a MAC that is the switch's own is refused", () => {
  const nat = networks.find('NAT');
  const mac = `02:42:${nat.gateway
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join(':')}`;
  assert.throws(() => reserve(nat, [], { mac }), { code: 'conflict', message: /the switch NAT itself/ });
});

test('names are answered on the gateway: a container by name and back, and nothing for its AAAA', async () => {
  const nat = networks.find('NAT');
  const web = reserve(nat, ['web', 'alias']);
  const pid = await join(web);
  assert.deepEqual(
    warnings.filter((w) => w.includes('name server')),
    [],
  );
  const script = `
    const r = new (require('node:dns').promises.Resolver)({ timeout: 2000, tries: 2 }); r.setServers(['${networks.nameServer(nat.id)!}']);
    (async () => { console.log(JSON.stringify([await r.resolve4('ALIAS'), await r.reverse('${web.addresses[0]!.split('/')[0]!}'), await r.resolve6('web').catch((e) => e.code)])); })();`;
  const { stdout } = await inside(pid, [process.execPath, '-e', script]);
  const expected = [[web.addresses[0]!.split('/')[0]!], ['web'], 'ENODATA'];
  assert.deepEqual(JSON.parse(stdout.toString()), expected);

  // A daemon that comes after another finds the switches up and answers again, unasked.
  await networks[Symbol.asyncDispose]();
  networks = await open();
  assert.deepEqual(JSON.parse((await inside(pid, [process.execPath, '-e', script])).stdout.toString()), expected);
});

test("names of the world are asked of the host's own servers, and one that is not there is passed over", async (t) => {
  const { servers, answer } = await someUpstream();
  t.after(() => answer.close());
  const subnet = parseSubnet('127.0.0.0/8')!;
  await using server = await openNameServer({
    address: '127.0.0.77',
    port: 5377,
    subnet,
    forward: true,
    directory: () => makeDirectory([]),
    servers: async () => servers,
    upstreamPort: 5378,
  });
  const resolver = new Resolver({ timeout: 8_000, tries: 1 });
  resolver.setServers([`${server.address}:5377`]);
  assert.deepEqual(await resolver.resolve4('example.org'), ['192.0.2.7']);
});

/** One server that is not there and one that knows a single address. */
async function someUpstream(): Promise<{ servers: string[]; answer: Socket }> {
  const answer = createSocket('udp4');
  answer.on('message', (bytes, from) => {
    const query = decode(bytes);
    answer.send(
      encode({
        type: 'response',
        id: query.id,
        questions: query.questions,
        answers: [{ type: 'A', name: 'example.org', data: '192.0.2.7' }],
      }),
      from.port,
      from.address,
    );
  });
  answer.bind(5378, '127.0.0.78');
  await once(answer, 'listening');
  return { servers: ['127.0.0.79', '127.0.0.78'], answer };
}

test('an address is kept by its adapter and refused to another', () => {
  const nat = networks.find('NAT');
  const first = reserve(nat, ['holder'], { address: '10.213.0.200', mac: '02:00:00:00:00:09' });
  networks.rename(first.adapter, ['renamed']);
  assert.deepEqual(networks.endpointsOf(first.container), [first]);
  assert.throws(() => reserve(nat, [], { address: '10.213.0.200' }), { code: 'conflict' });
  assert.throws(() => reserve(nat, [], { mac: '02:00:00:00:00:09' }), { code: 'conflict' });
  assert.throws(() => reserve(nat, [], { address: '10.213.1.5' }), { code: 'invalid-argument' });
  assert.throws(() => networks.checkAddress(nat.id, nat.gateway), { code: 'invalid-argument' });
  networks.release(first.container);
});

test('a container has several endpoints, also on one switch, and all of them go with it', () => {
  const container = newId<ContainerId>();
  const made = ['NAT', 'NAT', 'Virtual Switch'].map((name, index) =>
    reserve(networks.find(name), [], { container, name: `eth${index}` }),
  );
  assert.deepEqual(networks.endpointsOf(container), made);
  assert.equal(new Set(made.map(({ hostName }) => hostName)).size, 3);
  networks.release(container);
  assert.deepEqual(networks.endpointsOf(container), []);
});

test('a switch is made, filled, and only removed when empty', async () => {
  await assert.rejects(networks.create({ name: 'nat' }), { code: 'name-taken' });
  await assert.rejects(networks.create({ name: 'x', subnet: '10.213.0.0/25' }), {
    code: 'forbidden',
    message: /Pool overlaps with other one on this address space/,
  });
  await assert.rejects(networks.create({ name: 'x', subnet: '10.214.0.0/24', ipRange: '10.215.0.0/28' }), {
    code: 'invalid-argument',
  });
  await assert.rejects(networks.create({ name: 'x', options: { 'com.docker.network.bridge.name': 'mine' } }), {
    code: 'not-implemented',
    message: /bridge\.name/,
  });
  await assert.rejects(networks.create({ name: 'x', options: { 'com.docker.network.driver.mtu': '20' } }), {
    code: 'invalid-argument',
  });
  const small = await networks.create({ name: 'small', subnet: '10.214.0.0/30', internal: true });
  await networks.ensure(small.id, signal);
  const only = reserve(small, []);
  assert.throws(() => reserve(small, []), { code: 'conflict' });
  await assert.rejects(networks.remove('small'), { code: 'forbidden', message: /has active endpoints/ });
  networks.release(only.container);
  await networks.remove('small');
  assert.equal((await readdir('/sys/class/net')).includes(small.bridge), false);
});

test('a switch whose event cannot be written is neither made nor removed', async () => {
  const { id } = await networks.create({ name: 'told', internal: true });
  const refusal = { message: 'the event cannot be written' };
  networks.onEvent(() => {
    throw new Error(refusal.message);
  });
  await assert.rejects(networks.create({ name: 'untold', internal: true }), refusal);
  await assert.rejects(networks.remove('told'), refusal);
  assert.throws(() => networks.find('untold'), { code: 'network-not-found' });
  assert.equal(networks.find('told').id, id);
  networks.onEvent(() => undefined);
  await networks.remove('told');
});

test('addresses come out of the range that was asked for, and the MTU is that of the options', async () => {
  const ranged = await networks.create({
    name: 'ranged',
    subnet: '10.216.0.0/24',
    ipRange: '10.216.0.8/30',
    options: { 'com.docker.network.driver.mtu': '1400' },
  });
  await networks.ensure(ranged.id, signal);
  assert.equal((await readFile(`/sys/class/net/${ranged.bridge}/mtu`, 'utf8')).trim(), '1400');
  const four = [1, 2, 3, 4].map(() => reserve(ranged, []));
  assert.deepEqual(
    four.map(({ addresses, mtu }) => [addresses[0], mtu]),
    [8, 9, 10, 11].map((last) => [`10.216.0.${last}/24`, 1400]),
  );
  assert.throws(() => reserve(ranged, []), { code: 'conflict' });
  networks.release(four[1]!.container);
  networks.release(four[2]!.container);
  four.push(reserve(ranged, [], { spare: ['10.216.0.9'] }), reserve(ranged, [], { spare: ['10.216.0.9'] }));
  assert.deepEqual(
    four.slice(4).map(({ addresses }) => addresses[0]),
    ['10.216.0.10/24', '10.216.0.9/24'],
  );
  const beyond = reserve(ranged, [], { address: '10.216.0.77' });
  for (const { container } of [...four, beyond]) networks.release(container);
  await networks.remove('ranged');
});

test('a machine without the link program connects by ip and nft, and a link that is there stays', async () => {
  const endpoint = reserve(networks.find('NAT'), ['slow']);
  await using slow = await open('/no/such/program');
  const pid = await openNamespace();
  await slow.connect(endpoint, 'veth', pid, signal);
  const index = await readFile(`/sys/class/net/${endpoint.hostName}/ifindex`, 'utf8');
  await networks.connect(endpoint, 'veth', pid, signal);
  assert.equal(await readFile(`/sys/class/net/${endpoint.hostName}/ifindex`, 'utf8'), index);
  assert.match(
    (await runCommand('list the endpoints', ['nft', 'list', 'ruleset'])).stdout.toString('utf8'),
    new RegExp(endpoint.hostName),
  );
  for (const side of [slow, networks]) await side.disconnect(endpoint);
  await until(
    'its element has gone',
    async () =>
      !(await runCommand('list the endpoints', ['nft', 'list', 'ruleset'])).stdout
        .toString('utf8')
        .includes(endpoint.hostName),
  );
  networks.release(endpoint.container);
});
