// Owns lost+found below the data root: what was found there without a row. A database that is older than the files (a
// backup) makes such things, or a command that was cut short; that nobody needs them is for a person to say, who
// prunes. Does not own what is an orphan: the rooms know their rows.

import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { removeTree } from '../host/remove-tree.ts';

export class LostAndFound {
  readonly #dataRoot: string;
  readonly directory: string;

  constructor(dataRoot: string) {
    this.#dataRoot = dataRoot;
    this.directory = join(dataRoot, 'lost+found');
  }

  /**
   * Moves something of the data root here; one that was lost before under the same name stays. An empty directory goes.
   */
  readonly take = (path: string): void => {
    if (isEmptyDirectory(path)) return rmdirSync(path);
    const place = join(this.directory, relative(this.#dataRoot, path));
    mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
    let free = place;
    for (let n = 2; existsSync(free); n++) free = `${place}~${n}`;
    try {
      renameSync(path, free);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error; // on a disk of its own: it stays there
    }
  };

  /** Puts everything back that has its place free. */
  putBack(): void {
    for (const path of this.paths()) {
      const target = join(this.#dataRoot, path);
      if (/~\d+$/.test(path) || existsSync(target) || !existsSync(dirname(target))) continue;
      renameSync(join(this.directory, path), target);
    }
  }

  /** Deletes all of it. */
  async empty(): Promise<void> {
    for (const name of await readdir(this.directory).catch(() => [])) await removeTree(join(this.directory, name));
  }

  /** Each thing, below `directory` as it was below the data root. */
  paths(): string[] {
    const below = (directory: string, depth: number): string[] =>
      existsSync(directory)
        ? readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
            const path = join(directory, entry.name);
            const isRoom = entry.isDirectory() && rooms.has(relative(this.directory, path));
            return isRoom && depth < 2 ? below(path, depth + 1) : [relative(this.directory, path)];
          })
        : [];
    return below(this.directory, 0);
  }
}

/** Directories that hold things, and are none themselves. */
const rooms = new Set(['containers', 'layers', 'blobs', join('blobs', 'sha256'), 'images']);

function isEmptyDirectory(path: string): boolean {
  try {
    return readdirSync(path).length === 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return false;
    throw error;
  }
}
