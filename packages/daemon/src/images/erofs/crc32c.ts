// Owns the Castagnoli checksum that EROFS keeps of its superblock. Not zlib's polynomial, so node:zlib has none.

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc >>> 0;
});

/** The raw register, as the kernel keeps it: neither inverted before nor after. */
export function crc32c(seed: number, data: Uint8Array): number {
  let crc = seed;
  for (const byte of data) crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff]!;
  return crc >>> 0;
}
