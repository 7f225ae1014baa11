// Owns what the driver writes down about a sandbox in its directory, so that a later daemon can go on with it or clear
// it away.

import { readFile, rename, writeFile } from 'node:fs/promises';
import type { ContainerId, SandboxId } from '@twofold/contract';
import type { WorkerUser } from '../../host/worker-users.ts';
import type { Partition } from './disks.ts';
import { sandboxParts } from './places.ts';

export interface SandboxNotes {
  readonly sandbox: SandboxId;
  readonly cgroupPath: string;
  readonly user: WorkerUser;
  /** How many layers a container has in the guest. */
  readonly layers: Readonly<Record<ContainerId, number>>;
  /** Where on the layers' disk the layer is that has been added to it while the container runs. */
  readonly shown?: Partition;
  /** The running container's filter (base64), which its execs have too. */
  readonly seccomp?: string;
  /** The file of the VM's writable disk while it is nobody's. */
  readonly spare?: string;
}

/** Null when there are none (whole). */
export async function readNotes(directory: string): Promise<SandboxNotes | null> {
  try {
    return JSON.parse(await readFile(sandboxParts(directory).notes, 'utf8')) as SandboxNotes;
  } catch {
    return null;
  }
}

export async function writeNotes(directory: string, notes: SandboxNotes): Promise<void> {
  const path = sandboxParts(directory).notes;
  await writeFile(`${path}.new`, `${JSON.stringify(notes)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
