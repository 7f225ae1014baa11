// Owns what links and packet rules a set of switches and endpoints asks for, as text for `ip -batch` and `nft -f`.
// Pure: apply.ts carries it out. Names in rules are made by this room only and never hold a caller's text.

import type { AdapterId } from '@twofold/contract';
import { macOf, parseAddress } from './addresses.ts';
import type { Endpoint, Network } from './networks.ts';

/** Bridges are `<prefix>0`, `<prefix>1`, …; ends of endpoints `<prefix>e` and ten digits of the adapter's id. */
export function hostLinkName(prefix: string, adapter: AdapterId): string {
  return `${prefix}e${adapter.replaceAll('-', '').slice(0, 10)}`;
}

/** True for a link that this prefix's rooms make. */
export function isOurLink(prefix: string, link: string): boolean {
  return link.startsWith(prefix) && /^(\d+|e[0-9a-f]{10})$/.test(link.slice(prefix.length));
}

export function tableName(prefix: string): string {
  return `twofold_${prefix}`;
}

/**
 * Makes a switch. `address`: the MAC of the bridge that is there; that one stays, and the rest is put right. A bridge
 * without an address of its own takes the lowest of its ports.
 */
export function bridgeLines(network: Network, mtu: number, address: string | null): string[] {
  const prefix = network.subnet.split('/')[1];
  return [
    // No forward delay: there is one bridge and no loop, and a container sends at once.
    address === null
      ? `link add name ${network.bridge} mtu ${mtu} address ${bridgeMac(network)} type bridge forward_delay 0 stp_state 0 mcast_snooping 0`
      : `link set dev ${network.bridge} address ${address}`,
    `address replace ${network.gateway}/${prefix} dev ${network.bridge}`,
    `link set dev ${network.bridge} up`,
  ];
}

/** The MAC of a switch itself. */
export function bridgeMac(network: Network): string {
  return macOf(parseAddress(network.gateway)!);
}

/** Makes a veth pair whose inner end is born in the namespace of `netnsPid` under its name there. */
export function vethLines(endpoint: Endpoint, bridge: string, netnsPid: number, stale: boolean): string[] {
  return [
    ...(stale ? [`link delete dev ${endpoint.hostName}`] : []),
    `link add name ${endpoint.hostName} mtu ${endpoint.mtu} type veth peer name ${endpoint.name} address ${endpoint.mac} mtu ${endpoint.mtu} netns ${netnsPid}`,
    ...portLines(endpoint, bridge),
  ];
}

/**
 * Puts a link that is there on the switch, which learns no MAC from it: it is told the one (`stationLines`), and what
 * is for others does not go there. Learning sees frames that no rule does (those to 01:80:c2:00:00:0x).
 */
export function portLines(endpoint: Endpoint, bridge: string): string[] {
  return [
    `link set dev ${endpoint.hostName} mtu ${endpoint.mtu} master ${bridge}`,
    `link set dev ${endpoint.hostName} type bridge_slave learning off flood off`,
    `link set dev ${endpoint.hostName} up`,
  ];
}

/** For `bridge -batch`: where the endpoint's MAC is. Sticky, or a port that learns could take it over. */
export function stationLines(endpoint: Endpoint): string[] {
  return [`fdb replace ${endpoint.mac} dev ${endpoint.hostName} master static sticky`];
}

/** The set of those who may send, in the table of the family bridge. Of the type `ifname . ether_addr . ipv4_addr`. */
export const endpointSet = 'endpoints';

const quoted = (names: readonly string[]) => names.map((name) => `"${name}"`).join(', ');

function element(endpoint: Endpoint): string[] {
  return endpoint.addresses.map((address) => `"${endpoint.hostName}" . ${endpoint.mac} . ${address.split('/')[0]}`);
}

/**
 * The whole rule set of a prefix, replacing what was there in one transaction.
 *
 * - `arriving` (bridge): a port sends from its own MAC and address only, by the frame and by what is in it; untagged;
 * no IPv6, which switches don't route; and no answers of DHCP, which would be for whoever asks on the host's side.
 * - `passing` (forward): out is free, back is what was asked for; switches don't see each other, an internal one
 * nothing outside. - `outbound` (nat): leaves under the host's address.
 */
export function ruleScript(prefix: string, switches: readonly Network[], endpoints: readonly Endpoint[]): string {
  const table = tableName(prefix);
  const set = (name: string, type: string, elements: readonly string[]) => [
    `  set ${name} {`,
    `    type ${type}`,
    ...(elements.length > 0 ? [`    elements = { ${elements.join(', ')} }`] : []),
    '  }',
  ];
  const bridges = switches.map((network) => network.bridge);
  const inward = switches.filter((network) => network.internal).map((network) => network.bridge);
  return [
    ...deleteLines(prefix),
    `table inet ${table} {`,
    '  chain passing {',
    '    type filter hook forward priority filter',
    '    policy accept',
    ...bridges.map((bridge) => `    iifname "${bridge}" oifname "${bridge}" accept`),
    ...(inward.length > 0 ? [`    iifname { ${quoted(inward)} } drop`, `    oifname { ${quoted(inward)} } drop`] : []),
    ...(bridges.length > 0
      ? [
          `    iifname { ${quoted(bridges)} } oifname { ${quoted(bridges)} } drop`,
          '    ct state established,related accept',
          `    iifname { ${quoted(bridges)} } accept`,
          `    oifname { ${quoted(bridges)} } drop`,
        ]
      : []),
    '  }',
    '  chain outbound {',
    '    type nat hook postrouting priority srcnat',
    '    policy accept',
    ...switches
      .filter((network) => !network.internal)
      .map((network) => `    ip saddr ${network.subnet} oifname != "${network.bridge}" masquerade`),
    '  }',
    '}',
    `table bridge ${table} {`,
    ...set(endpointSet, 'ifname . ether_addr . ipv4_addr', endpoints.flatMap(element)),
    '  chain arriving {',
    '    type filter hook prerouting priority filter',
    '    policy accept',
    `    iifname != "${prefix}e*" accept`,
    '    ether type ip udp sport 67 udp dport 68 drop',
    '    ether type ip iifname . ether saddr . ip saddr @endpoints accept',
    '    ether type arp arp htype 1 arp ptype ip arp hlen 6 arp plen 4 iifname . ether saddr . arp saddr ip @endpoints iifname . arp saddr ether . arp saddr ip @endpoints accept',
    '    drop',
    '  }',
    '}',
    '',
  ].join('\n');
}

/** Lets endpoints' ports send. */
export function admitScript(prefix: string, endpoints: readonly Endpoint[]): string {
  return endpoints
    .flatMap(element)
    .map((item) => `add element bridge ${tableName(prefix)} endpoints { ${item} }\n`)
    .join('');
}

/** Takes endpoints' ports out; added first, since removing what isn't there is an error. */
export function expelScript(prefix: string, endpoints: readonly Endpoint[]): string {
  return endpoints
    .flatMap(element)
    .map(
      (item) =>
        `add element bridge ${tableName(prefix)} endpoints { ${item} }\ndelete element bridge ${tableName(prefix)} endpoints { ${item} }\n`,
    )
    .join('');
}

/** Removes a prefix's tables, whether they are there or not. */
export function deleteLines(prefix: string): string[] {
  return ['inet', 'bridge'].flatMap((family) => [
    `table ${family} ${tableName(prefix)}`,
    `delete table ${family} ${tableName(prefix)}`,
  ]);
}
