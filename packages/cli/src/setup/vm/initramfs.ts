// Owns what is in the utility VM's initramfs: the agent as /init, the layer tool, the modules and the order to load
// them in.

import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { type CpioEntry, writeCpio } from './cpio.ts';
import { collectModules } from './modules.ts';

export interface InitramfsParts {
  /** Static programs: the guest has no libraries. */
  readonly agent: string;
  readonly layerTool: string;
  /** The kernel package's modules (KernelFiles.modules). */
  readonly modules: string;
}

/**
 * Writes the initramfs to `file`, whole or not at all. The same parts give the same bytes. Uncompressed: unpacking is
 * dear under emulation.
 */
export async function buildInitramfs(file: string, parts: InitramfsParts): Promise<void> {
  const modules = await collectModules(parts.modules);
  const directory = (path: string, mode = 0o755): CpioEntry => ({ path, kind: 'directory', mode });
  const entries: CpioEntry[] = [
    ...['bin', 'dev', 'lib', 'lib/modules', 'proc', 'root', 'sys'].map((path) => directory(path)),
    // The kernel opens /dev/console for init before anything is mounted.
    { path: 'dev/console', kind: 'character-device', mode: 0o600, major: 5, minor: 1 },
    { path: 'init', kind: 'file', mode: 0o755, data: await readFile(parts.agent) },
    { path: 'bin/twofold-layer', kind: 'file', mode: 0o755, data: await readFile(parts.layerTool) },
    {
      path: 'lib/modules/order',
      kind: 'file',
      mode: 0o644,
      data: Buffer.from(modules.map((module) => `${module.name}\n`).join('')),
    },
    ...modules.map((module): CpioEntry => ({
      path: `lib/modules/${module.name}.ko`,
      kind: 'file',
      mode: 0o644,
      data: module.data,
    })),
  ];
  await writeFile(`${file}.new`, writeCpio(entries));
  await chmod(`${file}.new`, 0o644); // the VM's worker reads it
  await rename(`${file}.new`, file);
}
