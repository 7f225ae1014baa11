// Owns the mounts of image layers: each layer is mounted once, read-only, and shared by all containers that use it.
// Found again after a restart of the daemon, since the kernel's mount table is the only list. Does not own what lies
// over them (the supervisor's overlay).

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { readdir, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { runCommand } from '../../host/command.ts';
import type { RootfsLayer } from '../driver.ts';

export class LayerMounts {
  readonly #directory: string;
  readonly #layerTool: string;
  readonly #mounted = new Map<string, Promise<string>>();
  #prepared: Promise<void> | null = null;

  constructor(runRoot: string, layerTool: string) {
    this.#directory = join(runRoot, 'layers');
    this.#layerTool = layerTool;
  }

  /**
   * Makes the place for mounts. To be done before a supervisor starts: its mount namespace learns of later mounts only
   * where the place was there before.
   */
  async prepare(): Promise<void> {
    this.#prepared ??= this.#prepare();
    try {
      await this.#prepared;
    } catch (error) {
      this.#prepared = null;
      throw error;
    }
  }

  /** The directory at which the layer is mounted. */
  async mount(layer: RootfsLayer): Promise<string> {
    await this.prepare();
    const known = this.#mounted.get(layer.name);
    if (known !== undefined) return known;
    const attempt = this.#mountOne(layer);
    this.#mounted.set(layer.name, attempt);
    attempt.catch(() => this.#mounted.delete(layer.name));
    return attempt;
  }

  /**
   * Unmounts those that `inUse` does not name. A container that runs keeps its own hold on a layer, so nothing is
   * pulled from under it.
   */
  async unmountUnused(inUse: ReadonlySet<string>): Promise<void> {
    if (!existsSync(this.#directory)) return;
    const points = mounts();
    for (const name of await readdir(this.#directory))
      if (!inUse.has(name)) await this.#unmount(name, points.has(join(this.#directory, name)));
  }

  /** Unmounts those whose image file has been removed, or the disk would never get its space back. */
  async sweep(): Promise<void> {
    for (const [place, source] of mounts()) {
      if (dirname(place) === this.#directory && !existsSync(backingFile(source)))
        await this.#unmount(basename(place), true);
    }
  }

  async #unmount(name: string, isMounted: boolean): Promise<void> {
    this.#mounted.delete(name);
    const place = join(this.#directory, name);
    // Two ends of sandboxes may come here together: not mounted (32) and not there is what was wanted.
    if (isMounted)
      await runCommand('unmount an image layer', ['umount', '--lazy', '--no-canonicalize', place], { accept: [0, 32] });
    await rmdir(place).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }

  async #prepare(): Promise<void> {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    if (mounts().has(this.#directory)) return;
    // Shared, so that layers mounted later reach the private mount namespaces of the supervisors that run already.
    await runCommand('make the place for image layers', ['mount', '--bind', this.#directory, this.#directory]);
    await runCommand('make the place for image layers', ['mount', '--make-shared', this.#directory]);
  }

  async #mountOne({ name, path }: RootfsLayer): Promise<string> {
    const place = join(this.#directory, name);
    if (mounts().has(place)) return place;
    mkdirSync(place, { recursive: true, mode: 0o755 });
    await runCommand('mount an image layer', [this.#layerTool, 'mount', path, place]);
    return place;
  }
}

/** Mount points and what is mounted there. */
function mounts(): Map<string, string> {
  const plain = (word = '') =>
    word.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
  return new Map(
    readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => {
        const [left = '', right = ''] = line.split(' - ');
        return [plain(left.split(' ')[4]), plain(right.split(' ')[1])];
      }),
  );
}

/** Kernels that mount no files do it by a loop device, which knows its file. */
function backingFile(source: string): string {
  if (!source.startsWith('/dev/loop')) return source;
  try {
    return readFileSync(`/sys/block/${basename(source)}/loop/backing_file`, 'utf8').trimEnd();
  } catch {
    return source;
  }
}
