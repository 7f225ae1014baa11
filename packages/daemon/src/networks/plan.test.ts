import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AdapterId, ContainerId, NetworkId } from '@twofold/contract';
import { admitScript, bridgeLines, hostLinkName, isOurLink, ruleScript, vethLines } from './plan.ts';
import type { Endpoint, Network } from './networks.ts';

const nat: Network = {
  id: 'a'.repeat(64) as NetworkId,
  name: 'NAT',
  driver: 'bridge',
  bridge: 'tf0',
  subnet: '10.88.0.0/16',
  gateway: '10.88.0.1',
  ipRange: '',
  options: {},
  labels: {},
  internal: false,
  builtIn: true,
  created: '2026-01-01T00:00:00.000Z',
};
const inward: Network = {
  ...nat,
  id: 'b'.repeat(64) as NetworkId,
  name: 'in"; drop',
  bridge: 'tf1',
  subnet: '10.89.0.0/16',
  gateway: '10.89.0.1',
  internal: true,
};
const endpoint: Endpoint = {
  adapter: 'cccccccc-cccc-cccc-cccc-cccccccccccc' as AdapterId,
  network: nat.id,
  container: 'c'.repeat(64) as ContainerId,
  name: 'eth0',
  hostName: 'tfecccccccccc',
  mac: '02:42:0a:58:00:02',
  addresses: ['10.88.0.2/16'],
  gateway: '10.88.0.1',
  mtu: 1500,
};

test('a link name fits the kernel and is recognised as ours, and only ours', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z]{1,4}$/), fc.uuid(), (prefix, id) => {
      const name = hostLinkName(prefix, id as string as AdapterId);
      assert.ok(name.length <= 15 && isOurLink(prefix, name) && isOurLink(prefix, `${prefix}7`));
    }),
  );
  for (const foreign of ['eth0', 'tf', 'tfx0', 'tf0a', 'tfe12', 'docker0'])
    assert.equal(isOurLink('tf', foreign), false, foreign);
});

test('a bridge has a MAC of its own, not its ports’; one that is there is not made again and keeps its own', () => {
  assert.match(bridgeLines(nat, 1500, null)[0]!, /^link add name tf0 mtu 1500 address 02:42:0a:58:00:01 type bridge /);
  const again = bridgeLines(nat, 1500, '02:00:00:00:00:77');
  assert.equal(
    again.some((line) => line.startsWith('link add')),
    false,
  );
  assert.equal(again[0], 'link set dev tf0 address 02:00:00:00:00:77');
});

test('the inner end is born in its namespace under its final name', () => {
  assert.deepEqual(vethLines(endpoint, 'tf0', 42, false), [
    'link add name tfecccccccccc mtu 1500 type veth peer name eth0 address 02:42:0a:58:00:02 mtu 1500 netns 42',
    'link set dev tfecccccccccc mtu 1500 master tf0',
    'link set dev tfecccccccccc type bridge_slave learning off flood off',
    'link set dev tfecccccccccc up',
  ]);
});

test('an internal switch is not masqueraded and cut off both ways', () => {
  const script = ruleScript('tf', [nat, inward], [endpoint]);
  assert.match(script, /ip saddr 10\.88\.0\.0\/16 oifname != "tf0" masquerade/);
  assert.doesNotMatch(script, /10\.89\.0\.0/);
  assert.match(script, /iifname \{ "tf1" \} drop/);
  assert.match(script, /oifname \{ "tf1" \} drop/);
});

test('no name that a caller chose reaches the rules', () => {
  assert.doesNotMatch(ruleScript('tf', [inward], []), /in";/);
});

test('an endpoint may send from its own port, MAC and address', () => {
  assert.equal(
    admitScript('tf', [endpoint]),
    'add element bridge twofold_tf endpoints { "tfecccccccccc" . 02:42:0a:58:00:02 . 10.88.0.2 }\n',
  );
});
