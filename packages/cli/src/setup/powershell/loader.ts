// Owns making a dynamically linked program independent of the system that it runs in: which loader and libraries it
// brings along, the loader's path written into it, and the libraries' directory written into the loader. So no variable
// of the environment is needed, which the program's children would have, too. Pure but for looking where libraries are.

import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { TwofoldError } from '@twofold/contract';

/** What .NET is linked with, and opens by name. */
const libraries = [
  'libc.so.6',
  'libm.so.6',
  'libdl.so.2',
  'libpthread.so.0',
  'librt.so.1',
  'libgcc_s.so.1',
  'libstdc++.so.6',
  'ld-linux-x86-64.so.2',
  'libssl.so.3',
  'libcrypto.so.3',
] as const;
const loader = 'ld-linux-x86-64.so.2';
const directories = ['/usr/lib/x86_64-linux-gnu', '/lib/x86_64-linux-gnu', '/usr/lib64', '/lib64', '/usr/lib'];

const programHeadersOffset = 0x20;
const headerSizeOffset = 0x36;
const headerCountOffset = 0x38;
const interpreterType = 3;

/** Name in the image → file on this machine. The loader has a short name too, which fits into the program. */
export async function loaderAndLibraries(): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const name of libraries) {
    const path = await firstThere(directories.map((directory) => join(directory, name)));
    if (path === null)
      throw new TwofoldError('unsupported', `The library ${name} was not found (packages libssl3, libstdc++6).`);
    found.set(name, path);
    if (name === loader) found.set('ld', path);
  }
  return found;
}

async function firstThere(paths: readonly string[]): Promise<string | null> {
  for (const path of paths)
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  return null;
}

/** The program (ELF, 64 bits) with another loader. The path takes the old one's place, and may be no longer. */
export function withLoader(program: Buffer, path: string): Buffer {
  const changed = Buffer.from(program);
  const headers = Number(changed.readBigUInt64LE(programHeadersOffset));
  for (let index = 0; index < changed.readUInt16LE(headerCountOffset); index += 1) {
    const header = headers + index * changed.readUInt16LE(headerSizeOffset);
    if (changed.readUInt32LE(header) !== interpreterType) continue;
    const offset = Number(changed.readBigUInt64LE(header + 8));
    const room = Number(changed.readBigUInt64LE(header + 32));
    if (Buffer.byteLength(path) >= room)
      throw new TwofoldError(
        'internal',
        `The program has room for a loader's path of ${room - 1} bytes, but ${path} is longer.`,
      );
    changed.fill(0, offset, offset + room).write(path, offset);
    return changed;
  }
  throw new TwofoldError('internal', 'The program names no loader.');
}

/** Where glibc of Debian and its relatives looks for libraries, in its loader. */
const defaultDirectories = ['/lib/x86_64-linux-gnu/', '/usr/lib/x86_64-linux-gnu/', '/lib/', '/usr/lib/'] as const;
/** Begins the names of the system's own list of libraries (`ld.so.cache`) and of those for every program. */
const systemLists = '/etc/ld.so.';
const noLists = '/dev/null/.';

/** The loader (of glibc) that finds libraries in `directory` and nowhere else. */
export function withDirectory(loader: Buffer, directory: string): Buffer {
  const changed = Buffer.from(loader);
  const longest = Math.max(...defaultDirectories.map((each) => each.length));
  if (Buffer.byteLength(directory) >= longest)
    throw new TwofoldError('internal', `The loader has room for ${longest - 1} bytes, but ${directory} is longer.`);
  for (const each of defaultDirectories) {
    const wanted = directory.length < each.length ? directory : '/dev';
    const count = replaceAll(changed, `\0${each}`, `\0${wanted.padEnd(each.length, '/')}`);
    if (count === 0) throw new TwofoldError('unsupported', `The loader of this machine does not look in ${each}.`);
  }
  if (replaceAll(changed, systemLists, noLists) === 0)
    throw new TwofoldError('unsupported', `The loader of this machine does not name ${systemLists}cache.`);
  return changed;
}

/** In place; both have the same length. */
function replaceAll(content: Buffer, from: string, to: string): number {
  let count = 0;
  for (let at = content.indexOf(from); at >= 0; at = content.indexOf(from, at + 1), count += 1) content.write(to, at);
  return count;
}
