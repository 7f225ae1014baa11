// Owns what a switch's name server answers out of its own knowledge. Pure: sockets are name-server.ts's, foreign names
// upstream.ts's.

import { encode, decode, type DecodedPacket, type Packet, type Answer } from 'dns-packet';
import { contains, formatAddress, parseAddress, type Subnet } from './addresses.ts';

/** Who is on the switch: every name (lower case) leads to an address, every address back to its first name. */
export interface Directory {
  addressOf(name: string): number | null;
  nameOf(address: number): string | null;
  containerAt(address: number): string | null;
}

/** Names of a switch's endpoints, short ids included; on a clash the one that comes first has the name. */
export function makeDirectory(
  endpoints: readonly { readonly container: string; readonly address: number; readonly names: readonly string[] }[],
): Directory {
  const forward = new Map<string, number>();
  const back = new Map<number, string>();
  const containers = new Map<number, string>();
  for (const { container, address, names } of endpoints) {
    const shortId = container.slice(0, 12);
    for (const name of [...names, shortId])
      if (!forward.has(name.toLowerCase())) forward.set(name.toLowerCase(), address);
    back.set(address, names[0] ?? shortId);
    containers.set(address, container);
  }
  return {
    addressOf: (name) => forward.get(name.toLowerCase()) ?? null,
    nameOf: (address) => back.get(address) ?? null,
    containerAt: (address) => containers.get(address) ?? null,
  };
}

/** Of several switches as one; on a clash the first has the name. */
export function joinDirectories(all: readonly Directory[]): Directory {
  const first = <T>(ask: (one: Directory) => T | null): T | null => {
    for (const one of all) {
      const found = ask(one);
      if (found !== null) return found;
    }
    return null;
  };
  return {
    addressOf: (name) => first((one) => one.addressOf(name)),
    nameOf: (address) => first((one) => one.nameOf(address)),
    containerAt: (address) => first((one) => one.containerAt(address)),
  };
}

/** Seconds; short, since an address may change with every start. */
const timeToLive = 5;
const authoritative = 1 << 10;
const recursionAvailable = 1 << 7;
const recursionDesired = 1 << 8;

export type Verdict =
  | { readonly kind: 'answer'; readonly packet: Buffer }
  | { readonly kind: 'forward' }
  /** Not a query that anybody could answer. */
  | { readonly kind: 'drop' };

function readQuery(query: Buffer): DecodedPacket | null {
  if (
    query.length < 12 ||
    (query.readUInt16BE(2) & 0xf800) !== 0 ||
    query.readUInt16BE(4) !== 1 ||
    query.readUInt16BE(6) !== 0
  )
    return null;
  try {
    return decode(query);
  } catch {
    return null;
  }
}

function reply(query: DecodedPacket, answers: Answer[], responseCode: number): Verdict {
  const flags = authoritative | recursionAvailable | ((query.flags ?? 0) & recursionDesired) | responseCode;
  const packet: Packet = { type: 'response', id: query.id, flags, questions: query.questions, answers };
  return { kind: 'answer', packet: encode(packet) };
}

function addressOfPointer(name: string): number | null {
  const match = /^(.*)\.in-addr\.arpa$/i.exec(name);
  return match === null ? null : parseAddress(match[1]!.split('.').toReversed().join('.'));
}

/** Decides over one query, which is hostile input: it came out of a container. */
export function judgeQuery(bytes: Buffer, directory: Directory, subnet: Subnet): Verdict {
  const query = readQuery(bytes);
  const question = query?.questions?.[0];
  if (query === null || question === undefined) return { kind: 'drop' };
  const name = question.name.replace(/\.$/, '');
  if (question.type === 'PTR') {
    const address = addressOfPointer(name);
    const target = address === null ? null : directory.nameOf(address);
    if (address === null || (target === null && !contains(subnet, address))) return { kind: 'forward' };
    return target === null
      ? reply(query, [], 3)
      : reply(query, [{ type: 'PTR', name: question.name, ttl: timeToLive, data: target }], 0);
  }
  const address = directory.addressOf(name);
  if (address === null) return { kind: 'forward' };
  // Any other type of a name we know is empty, not absent: a resolver that asks for AAAA first must go on to A.
  return reply(
    query,
    question.type === 'A' ? [{ type: 'A', name: question.name, ttl: timeToLive, data: formatAddress(address) }] : [],
    0,
  );
}

/** SERVFAIL for a query that nobody could be asked about. */
export function failure(bytes: Buffer): Buffer | null {
  const query = readQuery(bytes);
  if (query === null) return null;
  const verdict = reply(query, [], 2);
  return verdict.kind === 'answer' ? verdict.packet : null;
}
