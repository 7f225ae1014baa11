import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isTwofoldError,
  type AdapterId,
  type ContainerConfig,
  type ContainerId,
  type HostConfig,
  type NetworkId,
} from '@twofold/contract';
import { hostsText, resolvText } from '../provided-files.ts';
import { checkText } from './words.ts';

const refused = (config: ContainerConfig, host: HostConfig) => {
  try {
    checkText(config, host);
    return null;
  } catch (error) {
    assert.ok(isTwofoldError(error, 'invalid-argument'));
    return error.message;
  }
};

test('a word that would be another line of a file, or end early in the kernel, is refused by name', () => {
  const wrong: [ContainerConfig, HostConfig, RegExp][] = [
    [{ Hostname: 'a\nb' }, {}, /invalid hostname/],
    [{ Domainname: 'a b' }, {}, /invalid domainname/],
    [{ Domainname: 'a'.repeat(65) }, {}, /invalid domainname/],
    [{}, { ExtraHosts: ['a:192.0.2.1\n192.0.2.2\tb'] }, /invalid IP address in add-host/],
    [{}, { ExtraHosts: ['a b:192.0.2.1'] }, /bad format for add-host/],
    [{}, { ExtraHosts: ['a'] }, /bad format for add-host/],
    [{}, { ExtraHosts: ['#:192.0.2.1'] }, /bad format for add-host/],
    [{}, { Dns: ['192.0.2.1\nsearch evil'] }, /bad nameserver address/],
    [{}, { Dns: ['localhost'] }, /bad nameserver address/],
    [{}, { DnsSearch: ['a\nnameserver 192.0.2.1'] }, /not a valid search domain/],
    [{}, { DnsOptions: ['ndots:1\nnameserver 192.0.2.1'] }, /not a valid resolver option/],
    [{ WorkingDir: '/tmp\0/x' }, {}, /WorkingDir contains a NUL byte/],
    [{ User: 'root\0' }, {}, /User contains a NUL byte/],
    [{}, { MaskedPaths: ['/proc/keys\0'] }, /MaskedPaths contains a NUL byte/],
    [{}, { ReadonlyPaths: ['proc'] }, /must be absolute/],
    [{}, { Tmpfs: { '/a\0b': '' } }, /Tmpfs contains a NUL byte/],
    [{}, { ConsoleSize: [1.5, 80] }, /not a valid console size/],
    [{}, { ConsoleSize: [24, 70_000] }, /not a valid console size/],
  ];
  for (const [config, host, message] of wrong) assert.match(refused(config, host) ?? 'it was taken', message);
});

test('words as people write them are taken', () => {
  assert.equal(
    refused(
      {
        Hostname: 'web.example.com',
        Domainname: 'example.com',
        WorkingDir: '/srv',
        Labels: { any: 'text\nof theirs' },
      },
      {
        ExtraHosts: [
          'db:192.0.2.1',
          'six=[2001:db8::1]',
          'six.example:2001:db8::2',
          'host.docker.internal:host-gateway',
        ],
        Dns: ['192.0.2.53', '2001:db8::53'],
        DnsSearch: ['example.com', '_tcp.example.com.', '.'],
        DnsOptions: ['ndots:2', 'single-request-reopen'],
        MaskedPaths: ['/proc/keys'],
        ConsoleSize: [24, 80],
      },
    ),
    null,
  );
});

test('the hosts file has a whole name and the short one; each extra host is a line', () => {
  const endpoint = {
    adapter: 'a' as AdapterId,
    network: 'n' as NetworkId,
    container: 'c' as ContainerId,
    name: 'eth0',
    hostName: 'tfe0',
    mac: '02:42:c0:00:02:09',
    addresses: ['192.0.2.9/24'],
    gateway: '192.0.2.1',
    mtu: 1500,
  };
  const lines = (config: ContainerConfig, hostConfig: HostConfig = {}) =>
    hostsText({ config, hostConfig }, [endpoint]).trimEnd().split('\n').slice(6);
  assert.deepEqual(lines({ Hostname: 'web.example.com' }), ['192.0.2.9\tweb.example.com web']);
  assert.deepEqual(lines({ Hostname: 'web', Domainname: 'example.com' }), ['192.0.2.9\tweb.example.com web']);
  assert.deepEqual(lines({ Hostname: 'web' }, { ExtraHosts: ['six=[2001:db8::1]', 'up:host-gateway'] }), [
    '2001:db8::1\tsix',
    '192.0.2.1\tup',
    '192.0.2.9\tweb',
  ]);
  assert.equal(
    resolvText({ hostConfig: { Dns: ['192.0.2.53'], DnsSearch: ['.'], DnsOptions: ['ndots:2'] } }, null, ''),
    'nameserver 192.0.2.53\noptions ndots:2\n',
  );
});
