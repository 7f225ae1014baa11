// Owns the check of a caller's words that end up as they are in a file, a plan or a setting of the kernel's: host
// names, /etc/hosts, /etc/resolv.conf, paths. Pure. In a file a line break would be a line of its own, and the kernel's
// strings end at a NUL byte.

import { isIP } from 'node:net';
import { TwofoldError } from '@twofold/contract';
import type { ContainerConfig, HostConfig } from '@twofold/contract';

/** setdomainname(2) takes 64 bytes, as sethostname(2) does. */
const longestDomain = 64;
const longestHost = 253;

/** Throws `invalid-argument`, in Docker's words where it has them. */
export function checkText(config: ContainerConfig, host: HostConfig): void {
  const { Labels: _labels, ...words } = config;
  refuseNul(words, '');
  refuseNul(host, '');
  const { Hostname: hostname = '', Domainname: domain = '' } = config;
  if (hostname !== '' && !/^[a-z0-9_][a-z0-9_.-]{0,62}$/i.test(hostname)) throw wrong('invalid hostname', hostname);
  if (domain !== '' && (domain.length > longestDomain || !isDomain(domain))) throw wrong('invalid domainname', domain);
  for (const entry of host.ExtraHosts ?? []) readExtraHost(entry);
  for (const server of host.Dns ?? []) if (isIP(server) === 0) throw wrong('bad nameserver address', server);
  for (const search of host.DnsSearch ?? [])
    if (search !== '.' && !isDomain(search)) throw wrong('not a valid search domain', search);
  for (const option of host.DnsOptions ?? [])
    if (!/^[a-z0-9_:-]{1,60}$/i.test(option)) throw wrong('not a valid resolver option', option);
  for (const path of [...(host.MaskedPaths ?? []), ...(host.ReadonlyPaths ?? [])])
    if (!path.startsWith('/')) throw wrong('a masked or read-only path must be absolute', path);
  for (const size of host.ConsoleSize ?? [])
    if (!Number.isInteger(size) || size < 0 || size > 0xffff) throw wrong('not a valid console size', String(size));
}

/** `--add-host`: a name, and its address or `host-gateway`; separated by the first `:` or `=`. */
export function readExtraHost(entry: string): { name: string; address: string } {
  const at = entry.search(/[:=]/);
  const name = entry.slice(0, at);
  const address = entry.slice(at + 1).replace(/^\[(.*)\]$/, '$1');
  if (at < 1 || name.length > longestHost || !isDomain(name)) throw wrong('bad format for add-host', entry);
  if (address !== 'host-gateway' && isIP(address) === 0) throw wrong('invalid IP address in add-host', address);
  return { name, address };
}

/** Labels of letters, digits, `_` and `-`, with dots between them and perhaps one at the end. */
function isDomain(text: string): boolean {
  return text.length <= longestHost && /^[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?$/i.test(text);
}

function refuseNul(value: unknown, key: string): void {
  if (typeof value === 'string') {
    if (value.includes('\0')) throw new TwofoldError('invalid-argument', `${key || 'A value'} contains a NUL byte.`);
  } else if (typeof value === 'object' && value !== null)
    for (const [name, inner] of Object.entries(value)) {
      refuseNul(name, key);
      refuseNul(inner, Array.isArray(value) ? key : name);
    }
}

function wrong(what: string, word: string): TwofoldError {
  return new TwofoldError('invalid-argument', `${what}: ${JSON.stringify(word.slice(0, 80))}`);
}
