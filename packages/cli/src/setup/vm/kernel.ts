// Owns how the guest's kernel comes from the distribution's package into `directory`: vmlinux, modules/ and the file
// `release`. Does not install the package: the host's own kernel is not changed.

import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import { thisMachine } from '@twofold/daemon/drivers/hyperv/machine.ts';
import { runCommand } from '@twofold/daemon/host/command.ts';
import { unpackKernel } from './unpack.ts';

export interface KernelFiles {
  readonly vmlinux: string;
  /** The package's `kernel/` tree of modules, with modules.builtin beside it. */
  readonly modules: string;
  readonly release: string;
}

/** Where a kernel that was built into `directory` lies, or null when there is none (whole). */
export async function findKernel(directory: string): Promise<KernelFiles | null> {
  const release = await readFile(join(directory, 'release'), 'utf8').catch(() => null);
  return release === null
    ? null
    : { vmlinux: join(directory, 'vmlinux'), modules: join(directory, 'modules'), release: release.trim() };
}

/**
 * Downloads and unpacks the kernel. Safe to repeat: `release` is written last, and a directory without it counts as
 * nothing.
 */
export async function buildKernel(directory: string, signal?: AbortSignal): Promise<KernelFiles> {
  await mkdir(directory, { recursive: true });
  const work = await mkdtemp(join(directory, 'download-'));
  try {
    const names = await kernelPackages(signal);
    // Run inside the work directory, which is where apt-get download writes to.
    await runCommand('download the kernel package', ['apt-get', 'download', '-q', ...names], {
      cwd: work,
      timeoutMs: 600_000,
      ...(signal && { signal }),
    });
    for (const file of await readdir(work)) {
      await runCommand('unpack the kernel package', ['dpkg-deb', '-x', join(work, file), join(work, 'tree')], {
        timeoutMs: 300_000,
        ...(signal && { signal }),
      });
    }
    return await place(join(work, 'tree'), directory);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function place(tree: string, directory: string): Promise<KernelFiles> {
  const image = (await readdir(join(tree, 'boot'))).find((name) => name.startsWith('vmlinuz-'));
  if (image === undefined) throw new TwofoldError('internal', 'The kernel package contains no kernel.');
  const release = image.slice('vmlinuz-'.length);
  const vmlinux = await unpackKernel(await readFile(join(tree, 'boot', image)));
  if (vmlinux.readUInt16LE(18) !== thisMachine().elfMachine)
    throw new TwofoldError('internal', 'The kernel package is of another architecture.');
  await rm(join(directory, 'release'), { force: true });
  await rm(join(directory, 'modules'), { recursive: true, force: true });
  // Distributions that merged /usr may ship modules under usr/lib.
  const modules = [join(tree, 'lib/modules', release), join(tree, 'usr/lib/modules', release)];
  for (const from of modules)
    await cp(from, join(directory, 'modules'), { recursive: true, verbatimSymlinks: true }).catch(ignoreMissing);
  await writeFile(join(directory, 'vmlinux.new'), vmlinux);
  await chmod(join(directory, 'vmlinux.new'), 0o644); // the VM's worker reads it
  await rename(join(directory, 'vmlinux.new'), join(directory, 'vmlinux'));
  await writeFile(join(directory, 'release'), `${release}\n`);
  return { vmlinux: join(directory, 'vmlinux'), modules: join(directory, 'modules'), release };
}

/**
 * The concrete packages of the first kernel of the machine's record that apt knows: the image, and the modules' package
 * where they are apart.
 */
async function kernelPackages(signal?: AbortSignal): Promise<string[]> {
  for (const meta of thisMachine().kernelPackages) {
    const depends = await runCommand(
      'ask apt for the kernel package',
      ['apt-cache', 'depends', '--no-recommends', '--no-suggests', meta],
      { accept: [0, 100], ...(signal && { signal }) },
    );
    const found = [...depends.stdout.toString('utf8').matchAll(/Depends: (linux-(?:image|modules)-[0-9]\S*)/g)].map(
      (match) => match[1]!,
    );
    if (found.length === 0) continue;
    const image = found.find((name) => name.startsWith('linux-image-'))!;
    // Ubuntu's image package depends on linux-modules-<release>; Debian's holds the modules itself.
    const more = await runCommand(
      'ask apt for the kernel modules',
      ['apt-cache', 'depends', '--no-recommends', '--no-suggests', image],
      { accept: [0, 100], ...(signal && { signal }) },
    );
    const modules = [...more.stdout.toString('utf8').matchAll(/Depends: (linux-modules-[0-9]\S*)/g)].map(
      (match) => match[1]!,
    );
    return [...new Set([image, ...modules])];
  }
  throw new TwofoldError(
    'unsupported',
    `None of the kernel packages ${thisMachine().kernelPackages.join(', ')} is known to apt: run apt-get update, or check the package sources.`,
  );
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
