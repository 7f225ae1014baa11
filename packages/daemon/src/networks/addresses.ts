// Owns IPv4 arithmetic and the choice of subnets and addresses. Pure; knows no switch and no link.

/** A block of IPv4 addresses: `base` has no bit below the prefix. */
export interface Subnet {
  readonly base: number;
  readonly prefix: number;
}

/** The address as a number, or null when it isn't one in the usual form. */
export function parseAddress(text: string): number | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return null;
  let value = 0;
  for (const part of match.slice(1)) {
    if (Number(part) > 255 || (part.length > 1 && part.startsWith('0'))) return null;
    value = value * 256 + Number(part);
  }
  return value;
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

export function sizeOf(subnet: Subnet): number {
  return 2 ** (32 - subnet.prefix);
}

/** `10.88.0.0/16`; bits below the prefix are cleared. Null when it can't be read. */
export function parseSubnet(text: string): Subnet | null {
  const [address, bits, more] = text.split('/');
  if (address === undefined || bits === undefined || more !== undefined || !/^\d{1,2}$/.test(bits) || Number(bits) > 32)
    return null;
  const value = parseAddress(address);
  if (value === null) return null;
  const size = 2 ** (32 - Number(bits));
  return { base: Math.floor(value / size) * size, prefix: Number(bits) };
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress(subnet.base)}/${subnet.prefix}`;
}

export function contains(subnet: Subnet, address: number): boolean {
  return address >= subnet.base && address < subnet.base + sizeOf(subnet);
}

export function overlap(a: Subnet, b: Subnet): boolean {
  return contains(a, b.base) || contains(b, a.base);
}

/**
 * Blocks whose addresses no machine on a switch can have: this network, the loopback, multicast and what is reserved.
 * A route to a switch with one of them would take from the host what it needs itself.
 */
const specialBlocks = ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3'].map((text) => parseSubnet(text)!);

export function isSpecial(subnet: Subnet): boolean {
  return specialBlocks.some((block) => overlap(block, subnet));
}

/** True for an address that a container may have: in the subnet, neither its first nor its last. */
export function isHostAddress(subnet: Subnet, address: number): boolean {
  return contains(subnet, address) && address !== subnet.base && address !== subnet.base + sizeOf(subnet) - 1;
}

/** The first block of the pools that overlaps nothing taken; null when they are used up. */
export function chooseSubnet(
  pools: readonly { readonly base: string; readonly size: number }[],
  taken: readonly Subnet[],
): Subnet | null {
  for (const pool of pools) {
    const whole = parseSubnet(pool.base);
    if (whole === null || pool.size < whole.prefix || pool.size > 30) continue;
    for (let base = whole.base; base < whole.base + sizeOf(whole); base += 2 ** (32 - pool.size)) {
      const candidate = { base, prefix: pool.size };
      if (!taken.some((other) => overlap(candidate, other))) return candidate;
    }
  }
  return null;
}

/**
 * The next free address of `range` after `last`, going round: one just given back is not given out again while others
 * are free, so that a neighbour's stale ARP entry or a client's cached name hits nobody else. Null when none is free.
 */
export function nextAddress(
  subnet: Subnet,
  taken: ReadonlySet<number>,
  last: number | null,
  range: Subnet = subnet,
): number | null {
  const first = Math.max(range.base, subnet.base + 1);
  const count = Math.min(range.base + sizeOf(range), subnet.base + sizeOf(subnet) - 1) - first;
  const start = last !== null && last >= first && last < first + count ? last + 1 - first : 0;
  for (let step = 0; step < count; step += 1) {
    const candidate = first + ((start + step) % count);
    if (!taken.has(candidate)) return candidate;
  }
  return null;
}

/** Docker's classic form: a locally administered MAC made of the address, unique on its switch as the address is. */
export function macOf(address: number): string {
  const bytes = [0x02, 0x42, ...[24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256)];
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/**
 * Lower case, colons; null for a malformed, multicast or all-zero one. Dashes will do, and twelve digits, as Hyper-V
 * writes them.
 */
export function parseMac(text: string): string | null {
  const mac = text
    .toLowerCase()
    .replaceAll('-', ':')
    .replace(/^([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/, '$1:$2:$3:$4:$5:$6');
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac) || mac === '00:00:00:00:00:00') return null;
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1 ? null : mac;
}
