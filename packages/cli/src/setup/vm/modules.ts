// Owns which kernel modules the guest needs and the order to load them in, read from the modules themselves: depmod's
// files are not part of the package, and what is a module on one distribution is built in on another.

import { readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import { unpackElf } from './unpack.ts';

const wanted = [
  'virtio_pci',
  'virtio_console',
  'virtio_blk',
  'virtio_net',
  'virtio_rng',
  'erofs',
  'ext4',
  'overlay',
  'fuse',
  'virtiofs',
];
// Used through the crypto interface, so no module names it as a dependency; ext4 and erofs ask for crc32c when they
// mount.
const wishes = ['crc32c_generic', 'libcrc32c'];

export interface KernelModule {
  readonly name: string;
  readonly data: Buffer;
}

/** Modules to load, every one after what it depends on. `directory` holds `kernel/` and `modules.builtin`. */
export async function collectModules(directory: string): Promise<KernelModule[]> {
  const files = new Map(
    (await readdir(join(directory, 'kernel'), { recursive: true }))
      .filter((path) => /\.ko(\.\w+)?$/.test(path))
      .map((path) => [moduleName(path), join(directory, 'kernel', path)]),
  );
  const builtin = new Set(
    (await readFile(join(directory, 'modules.builtin'), 'utf8'))
      .split('\n')
      .filter((line) => line !== '')
      .map(moduleName),
  );
  const ordered = new Map<string, KernelModule>();
  const add = async (name: string, because: string): Promise<void> => {
    if (ordered.has(name) || builtin.has(name)) return;
    const file = files.get(name);
    if (file === undefined)
      throw new TwofoldError('unsupported', `The kernel has no module ${name}, which ${because} needs.`);
    const data = await unpackElf(`module ${name}`, await readFile(file));
    for (const dependency of dependencies(data)) await add(dependency, name);
    ordered.set(name, { name, data });
  };
  for (const name of wishes) if (files.has(name)) await add(name, 'the utility VM');
  for (const name of wanted) await add(name, 'the utility VM');
  return [...ordered.values()];
}

/** `kernel/fs/erofs/erofs.ko.xz` → `erofs`; dashes and underscores are the same to the kernel. */
function moduleName(path: string): string {
  return basename(path)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');
}

/** What the module's own `.modinfo` says: `depends=a,b`. */
export function dependencies(module: Buffer): string[] {
  const at = module.indexOf('\0depends=', 0, 'latin1');
  if (at === -1) return [];
  const from = at + '\0depends='.length;
  const text = module.subarray(from, module.indexOf(0, from)).toString('latin1');
  return text === '' ? [] : text.split(',').map((name) => name.replaceAll('-', '_'));
}
