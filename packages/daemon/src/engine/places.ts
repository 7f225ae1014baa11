// Owns where the engine keeps things on disk. Pure: makes nothing.

import { join } from 'node:path';
import type { ContainerId, SandboxId } from '@twofold/contract';
import type { Settings } from '../settings.ts';

type Roots = Pick<Settings, 'dataRoot' | 'runRoot'>;

/** All that outlives a reboot of one container (0700). */
export const containerDirectory = (roots: Roots, id: ContainerId): string => join(roots.dataRoot, 'containers', id);
/** What `recover` makes a container's row of. */
export const descriptionPath = (roots: Roots, id: ContainerId): string =>
  join(containerDirectory(roots, id), 'container.json');
/** Directories of containers while they are deleted, by their ids. */
export const doomedDirectories = (roots: Roots): string => join(roots.dataRoot, 'removing');
export const doomedDirectory = (roots: Roots, id: ContainerId): string => join(doomedDirectories(roots), id);
/** RootfsPlan.writableDirectory. */
export const writableDirectory = (roots: Roots, id: ContainerId): string =>
  join(containerDirectory(roots, id), 'writable');
/** Layers sealed by conversions, which belong to this container alone. */
export const sealedDirectory = (roots: Roots, id: ContainerId): string => join(containerDirectory(roots, id), 'layers');
export const logPath = (roots: Roots, id: ContainerId): string => join(containerDirectory(roots, id), 'container.log');
/** Of the files that the engine provides: `hosts`, `hostname`, `resolv.conf`. */
export const providedPath = (roots: Roots, id: ContainerId, name: string): string =>
  join(containerDirectory(roots, id), name);
/** Parent of all sandboxes' directories. Short, since a socket's path has 107 bytes at most. */
export const sandboxesDirectory = (roots: Roots): string => join(roots.runRoot, 'sb');
/** SandboxSpec.directory: there from before createSandbox until after deleteSandbox, and gone after a reboot. */
export const sandboxDirectory = (roots: Roots, id: SandboxId | ContainerId): string =>
  join(sandboxesDirectory(roots), id);

/** Docker and PowerShell use one sandbox for one container, with the container's id. */
export const sandboxOf = (id: ContainerId): SandboxId => id as string as SandboxId;
export const containerOf = (id: SandboxId): ContainerId => id as string as ContainerId;
