// Owns which templates this daemon has: one for each size of VM. The standard size's is made at the start and stays
// open; another's is made in the background when a VM of that size had to boot, and the last used ones are kept open.
// Does not own how one is made (template.ts), nor clones.
//
//   absent ─make▶ on the disk ─use▶ open ─others were used since▶ on the disk
//                     └────────────────┴─could not be made, or a clone failed▶ given up, until the daemon is started
//                     anew

import type { Warn } from '../driver.ts';
import { isSameSize, type Size } from './size.ts';
import {
  dropTemplate,
  hasTemplate,
  makeTemplate,
  openTemplate,
  removeStaleTemplates,
  templateBasis,
  templateDirectory,
  type Making,
  type Template,
} from './template.ts';

/** Of sizes that are not the standard one. Each holds about 100 MiB of memory. */
const mostOpen = 2;

interface Opened {
  readonly size: Size;
  readonly template: Promise<Template>;
  /** While it is used it stays open: supervisors open its memory by our descriptor's number. */
  uses: number;
}

export class Templates implements AsyncDisposable {
  readonly #parts: Making;
  readonly #warn: Warn;
  readonly #closing: AbortSignal;
  readonly #making = new Map<string, Promise<void>>();
  readonly #givenUp = new Set<string>();
  /** The last used comes last. */
  #opened: Opened[] = [];
  readonly #directories = new Map<string, string>();
  #basis: Promise<string> | null = null;

  /** `closing`: nothing more is made or opened. Dispose it then. */
  constructor(parts: Making, warn: Warn, closing: AbortSignal) {
    this.#parts = parts;
    this.#warn = warn;
    this.#closing = closing;
  }

  /**
   * Makes and opens the standard size's, which the caller uses until this is disposed. Null when it can't be had; that
   * has been told then.
   */
  async openStandard(): Promise<Template | null> {
    const size = this.#parts.settings.machine;
    await this.make(size, false);
    return (await this.#take(size))?.template ?? null;
  }

  /** Makes a size's where there is none. Never throws. */
  make(size: Size, background = true): Promise<void> {
    const key = keyOf(size);
    if (this.#givenUp.has(key) || this.#closing.aborted) return Promise.resolve();
    const making = this.#making.get(key) ?? this.#make(size, background).finally(() => this.#making.delete(key));
    this.#making.set(key, making);
    return making;
  }

  /** Does `work` with the template of a size. Null where there is none (yet). */
  async use<T>(size: Size, work: (template: Template) => Promise<T>): Promise<T | null> {
    const opened = await this.#take(size);
    if (opened === null) return null;
    try {
      return await work(await opened.template);
    } finally {
      opened.uses -= 1;
      await this.#closeUnused();
    }
  }

  /** A clone of it failed: the next daemon makes it anew. */
  async giveUp(size: Size, error: unknown): Promise<void> {
    if (this.#givenUp.has(keyOf(size))) return;
    this.#givenUp.add(keyOf(size));
    this.#warn(
      "A clone of the utility VMs' template failed: VMs boot, which takes longer, until the daemon is started anew.",
      { err: error, ...size },
    );
    const directory = this.#directories.get(keyOf(size));
    if (directory !== undefined) await dropTemplate(directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#making.values());
    for (const { template } of this.#opened.splice(0))
      await template.then(
        (one) => one.close(),
        () => undefined,
      );
  }

  async #make(size: Size, background: boolean): Promise<void> {
    try {
      await makeTemplate(this.#parts, await this.#directory(size), size, background, this.#closing);
      await removeStaleTemplates(this.#parts, await this.#basis!);
    } catch (error) {
      if (this.#closing.aborted) return;
      this.#givenUp.add(keyOf(size));
      this.#warn('The template of utility VMs could not be made: they boot, which takes longer.', {
        err: error,
        ...size,
      });
    }
  }

  /** Opens it where it isn't, and holds it open: the caller lets go. */
  async #take(size: Size): Promise<Opened | null> {
    if (this.#givenUp.has(keyOf(size)) || this.#closing.aborted) return null;
    try {
      const directory = await this.#directory(size);
      if (!(await hasTemplate(directory))) return null;
      const opened = this.#opened.find((one) => isSameSize(one.size, size)) ?? {
        size,
        template: openTemplate(this.#parts, directory, this.#closing),
        uses: 0,
      };
      opened.uses += 1;
      this.#opened = [...this.#opened.filter((one) => one !== opened), opened];
      await opened.template;
      return opened;
    } catch (error) {
      this.#opened = this.#opened.filter((one) => !isSameSize(one.size, size));
      if (!this.#closing.aborted) await this.giveUp(size, error);
      return null;
    }
  }

  async #closeUnused(): Promise<void> {
    const others = this.#opened.filter(({ size }) => !isSameSize(size, this.#parts.settings.machine));
    for (const one of others.slice(0, Math.max(0, others.length - mostOpen))) {
      if (one.uses > 0) continue;
      this.#opened = this.#opened.filter((opened) => opened !== one);
      (await one.template).close();
    }
  }

  async #directory(size: Size): Promise<string> {
    const known = this.#directories.get(keyOf(size));
    if (known !== undefined) return known;
    this.#basis ??= templateBasis(this.#parts);
    const directory = await templateDirectory(this.#parts, await this.#basis, size);
    this.#directories.set(keyOf(size), directory);
    return directory;
  }
}

const keyOf = ({ memoryBytes, cpus }: Size): string => `${memoryBytes} ${cpus}`;
