// Owns the unpacking of what distributions compress kernels and modules with: gzip, zstd, xz, LZ4. Knows them by their
// first bytes.

import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { TwofoldError } from '@twofold/contract';
import { runCommand } from '@twofold/daemon/host/command.ts';
import { unpackLz4Legacy } from './lz4-legacy.ts';

const elf = Buffer.from('\x7fELF', 'latin1');
const gzip = Buffer.from([0x1f, 0x8b]);
const zstd = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
const xz = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);
const lz4 = Buffer.from([0x02, 0x21, 0x4c, 0x18]);

const startsWith = (data: Buffer, magic: Buffer) => data.subarray(0, magic.length).equals(magic);

/** The ELF file inside `data`, which may be compressed. */
export async function unpackElf(what: string, data: Buffer): Promise<Buffer> {
  const unpacked = await unpack(what, data);
  if (!startsWith(unpacked, elf))
    throw new TwofoldError('internal', `Could not unpack ${what}: the result is not an ELF file.`);
  return unpacked;
}

async function unpack(what: string, data: Buffer): Promise<Buffer> {
  if (startsWith(data, elf)) return data;
  if (startsWith(data, gzip)) return gunzipSync(data);
  if (startsWith(data, zstd)) return zstdDecompressSync(data);
  if (startsWith(data, lz4)) return unpackLz4Legacy(data);
  if (startsWith(data, xz))
    return (
      await runCommand(
        `unpack ${what} (the program xz, package xz-utils, is needed)`,
        ['xz', '-dc', '--single-stream'],
        { input: data, maxOutputBytes: 256 << 20 },
      )
    ).stdout;
  throw new TwofoldError('unsupported', `Could not unpack ${what}: its compression is unknown.`);
}

/**
 * The vmlinux inside a Linux/x86 boot image (its header says where the compressed kernel lies), or `image` itself when
 * it is one already.
 */
export async function unpackKernel(image: Buffer): Promise<Buffer> {
  // Documentation/x86/boot.rst: setup_sects 0x1f1, "HdrS" 0x202, payload_offset 0x248, payload_length 0x24c.
  if (image.subarray(0x202, 0x206).toString('latin1') !== 'HdrS') return unpackElf('the kernel', image);
  const start = ((image[0x1f1]! || 4) + 1) * 512 + image.readUInt32LE(0x248);
  const payload = image.subarray(start, start + image.readUInt32LE(0x24c));
  // All but gzip carry the unpacked size in four bytes behind their end, which strict readers trip over.
  return unpackElf('the kernel', startsWith(payload, gzip) ? payload : payload.subarray(0, -4));
}
