// Owns the files that the engine provides in every container: /etc/hosts, /etc/hostname, /etc/resolv.conf. Their texts
// are pure.

import { readFile, writeFile } from 'node:fs/promises';
import type { Endpoint } from '../../networks/networks.ts';
import type { ContainerRecord } from '../engine.ts';
import { providedPath } from '../places.ts';
import type { Room } from '../room.ts';
import { leadingEndpoint } from './plan.ts';
import { readExtraHost } from './spec/words.ts';

/** Writes them anew for a start. */
export async function writeProvidedFiles(
  room: Room,
  record: ContainerRecord,
  endpoints: readonly Endpoint[],
): Promise<void> {
  const write = (name: string, text: string) =>
    writeFile(providedPath(room.settings, record.id, name), text, { mode: 0o644 });
  const hostFile = (path: string) => readFile(path, 'utf8').catch(() => '');
  const leading = leadingEndpoint(endpoints);
  // One knows the names of all switches that the container is on; only the leading one's can be sure to know the world.
  const nameServer =
    [...(leading === undefined ? [] : [leading]), ...endpoints]
      .map(({ network }) => room.networks.nameServer(network))
      .find((server) => server !== null) ?? null;
  await Promise.all([
    write('hostname', `${record.config.Hostname}\n`),
    write('hosts', hostsText(record, endpoints)),
    write(
      'resolv.conf',
      record.networking === 'host'
        ? await hostFile('/etc/resolv.conf')
        : resolvText(record, nameServer, await hostFile('/etc/resolv.conf')),
    ),
  ]);
}

/** As Docker writes it. */
export function hostsText(
  record: Pick<ContainerRecord, 'config' | 'hostConfig'>,
  endpoints: readonly Endpoint[],
): string {
  const lines = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::\tip6-localnet',
    'ff00::\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
  ];
  for (const entry of record.hostConfig.ExtraHosts ?? []) {
    const { name, address } = readExtraHost(entry);
    lines.push(
      `${address === 'host-gateway' ? (leadingEndpoint(endpoints)?.gateway ?? '127.0.0.1') : address}\t${name}`,
    );
  }
  const { Hostname: host = '', Domainname: domain = '' } = record.config;
  // A host name with dots brings its domain with it: the short name follows the whole one.
  const names = [...new Set([domain === '' ? host : `${host}.${domain}`, host.split('.', 1)[0]])];
  for (const address of endpoints.flatMap(({ addresses }) => addresses))
    lines.push(`${address.split('/', 1)[0]}\t${names.join(' ')}`);
  return `${lines.join('\n')}\n`;
}

/** The caller's servers, or the network's own; the search list is the caller's or the host's. */
export function resolvText(
  record: Pick<ContainerRecord, 'hostConfig'>,
  nameServer: string | null,
  host: string,
): string {
  const { Dns: servers = [], DnsSearch: search = [], DnsOptions: options = [] } = record.hostConfig;
  const hostLines = host.split('\n').map((line) => line.trim());
  const wanted = servers.length > 0 ? servers : nameServer === null ? [] : [nameServer];
  const lines =
    wanted.length > 0
      ? wanted.map((server) => `nameserver ${server}`)
      : hostLines.filter((line) => line.startsWith('nameserver'));
  if (search.length > 0) lines.push(...(search[0] === '.' ? [] : [`search ${search.join(' ')}`]));
  else lines.push(...hostLines.filter((line) => line.startsWith('search ')));
  lines.push(options.length > 0 ? `options ${options.join(' ')}` : 'options ndots:0');
  return `${lines.join('\n')}\n`;
}
