// Owns a container's disks for its VM: one read-only disk with all layers (a VMDK descriptor whose flat extents are the
// EROFS files, so nothing is copied) and one writable ext4 that only guests ever mount. A VM begins with an empty disk
// for the layers, and an empty or a spare writable one, all of fixed size; what is the container's is put in their
// place by QMP.

import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TwofoldError } from '@twofold/contract';
import { runCommand } from '../../host/command.ts';
import type { QmpCommand, QmpFile } from '../../host/qmp.ts';
import type { RootfsLayer, RootfsPlan } from '../driver.ts';
import { writableParts } from './places.ts';

/** Nominal: sparse, only what is written counts. The guest was told these sizes at its boot. */
export const scratchBytes = 20 * 2 ** 30;
export const layerDiskBytes = 2 ** 40;

const sectorBytes = 512;
const alignment = 4096;

export interface Partition {
  readonly offset: number;
  readonly length: number;
}

export interface LayerDisk {
  readonly descriptor: string;
  readonly partitions: readonly Partition[];
}

/**
 * Pure: the descriptor, with layer n as /dev/fdset/<firstSet + n>. No empty line may stand before an extent: QEMU then
 * reads that extent twice (measured, 7.2).
 */
export function layerDisk(sizes: readonly number[], firstSet: number): LayerDisk {
  let offset = 0;
  const partitions = sizes.map((size) => {
    const partition = { offset, length: Math.ceil(size / alignment) * alignment };
    offset += partition.length;
    return partition;
  });
  if (offset > layerDiskBytes) throw new TwofoldError('unsupported', "The image is larger than a VM's disk can be.");
  const extents = partitions.map(
    ({ length }, index) => `RW ${length / sectorBytes} FLAT "/dev/fdset/${firstSet + index}" 0`,
  );
  const descriptor = [
    '# Disk DescriptorFile',
    'version=1',
    'CID=fffffffe',
    'parentCID=ffffffff',
    'createType="twoGbMaxExtentFlat"',
    '# Extents',
    ...extents,
    '',
  ].join('\n');
  return { descriptor, partitions };
}

/** Sets and node names that no other exchange of this VM uses. */
export interface Exchange {
  /** The first of its sets; its nodes are named after it. */
  readonly first: number;
  readonly files: readonly QmpFile[];
  readonly commands: readonly QmpCommand[];
  readonly partitions: readonly Partition[];
}

/**
 * Makes what is missing on the host and says what to tell QEMU. `emptyDisk` is what a new writable disk is copied from;
 * null: the VM has its own already.
 */
export async function prepareDisks(
  rootfs: RootfsPlan,
  emptyDisk: string | null,
  signal: AbortSignal,
): Promise<Exchange> {
  const parts = writableParts(rootfs.writableDirectory);
  if (emptyDisk !== null) await ensureScratch(parts.scratch, emptyDisk, signal);
  const first = unusedSets();
  const { files, partitions } = await describeLayers(rootfs.layers, parts.layers, first);
  const commands = rootfs.layers.length > 0 ? layerCommands(first) : [];
  if (emptyDisk === null) return { first, files, commands, partitions };
  return {
    first,
    files: [{ set: first, path: parts.scratch, writable: true }, ...files],
    commands: [...scratchCommands(first), ...commands],
    partitions,
  };
}

/** The layers' disk of a running VM, made longer by one layer: what is on it stays where it is. */
export async function extendLayers(
  rootfs: RootfsPlan,
  layer: RootfsLayer,
  descriptor: string,
): Promise<Exchange & { readonly added: Partition }> {
  const first = unusedSets();
  const { files, partitions } = await describeLayers([...rootfs.layers, layer], descriptor, first);
  return { first, files, commands: layerCommands(first), partitions, added: partitions.at(-1)! };
}

/** Writes the descriptor of the layers' disk: itself in the set after `first`, the layers in those after it. */
async function describeLayers(
  layers: readonly RootfsLayer[],
  path: string,
  first: number,
): Promise<{ files: QmpFile[]; partitions: readonly Partition[] }> {
  const { descriptor, partitions } = layerDisk(await Promise.all(layers.map((layer) => sizeOf(layer))), first + 2);
  await writeFile(path, descriptor, { mode: 0o600 });
  return {
    files: [
      { set: first + 1, path, writable: false },
      ...layers.map((layer, index) => ({ set: first + 2 + index, path: layer.path, writable: false })),
    ],
    partitions,
  };
}

const unusedSets = (): number => 1 + Math.floor(Math.random() * 2 ** 28) * 4;

const fdset = (set: number): string => `/dev/fdset/${set}`;

/** Pure. Blocks that the guest frees are given back (discard). */
const scratchCommands = (first: number): QmpCommand[] => [
  {
    execute: 'blockdev-add',
    arguments: { driver: 'file', 'node-name': `s${first}`, filename: fdset(first), discard: 'unmap', locking: 'off' },
  },
  {
    execute: 'blockdev-reopen',
    arguments: { options: [{ driver: 'raw', 'node-name': 'scratch', file: `s${first}`, discard: 'unmap' }] },
  },
];

const layerCommands = (first: number): QmpCommand[] => [
  {
    execute: 'blockdev-add',
    arguments: {
      driver: 'vmdk',
      'node-name': `l${first}`,
      'read-only': true,
      file: { driver: 'file', filename: fdset(first + 1), 'read-only': true, locking: 'off' },
    },
  },
  {
    execute: 'blockdev-reopen',
    arguments: { options: [{ driver: 'raw', 'node-name': 'layers', file: `l${first}`, 'read-only': true }] },
  },
];

/** Pure: what gives a VM its empty layers' disk back. */
export function takeBackLayers({ first, files }: Exchange): QmpCommand[] {
  return [
    {
      execute: 'blockdev-reopen',
      arguments: { options: [{ driver: 'raw', 'node-name': 'layers', file: 'layers-empty', 'read-only': true }] },
    },
    { execute: 'blockdev-del', arguments: { 'node-name': `l${first}` } },
    ...files.map(({ set }) => ({ execute: 'remove-fd', arguments: { 'fdset-id': set } })),
  ];
}

async function sizeOf(layer: RootfsLayer): Promise<number> {
  try {
    return (await stat(layer.path)).size;
  } catch (error) {
    throw new TwofoldError('sandbox-failed', 'A layer of the image is missing on disk.', { cause: error });
  }
}

/** An empty scratch disk, copied from one that was made once: mkfs takes longer than the copy of its few blocks. */
async function ensureScratch(path: string, template: string, signal: AbortSignal): Promise<void> {
  if (await exists(path)) return;
  await ensureEmptyDisk(template, signal);
  const fresh = `${path}.new`;
  await copyDisk(template, fresh, signal);
  await rename(fresh, path);
}

/** Copies a disk as sparsely as it can be. */
export async function copyDisk(from: string, to: string, signal: AbortSignal): Promise<void> {
  await runCommand('make a writable disk', ['cp', '--sparse=always', '--reflink=auto', '--', from, to], { signal });
}

/** What new writable disks are copied from; made once. */
export async function ensureEmptyDisk(template: string, signal: AbortSignal): Promise<void> {
  if (await exists(template)) return;
  const fresh = join(dirname(template), `scratch.${randomUUID()}`);
  await mkdir(dirname(template), { recursive: true, mode: 0o700 });
  try {
    await writeFile(fresh, '', { mode: 0o600 });
    await truncate(fresh, scratchBytes);
    await runCommand(
      'make an empty writable disk',
      ['mkfs.ext4', '-q', '-F', '-m', '0', '-E', 'lazy_itable_init=1,lazy_journal_init=1,nodiscard', fresh],
      { signal },
    );
    await rename(fresh, template);
  } finally {
    await rm(fresh, { force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
