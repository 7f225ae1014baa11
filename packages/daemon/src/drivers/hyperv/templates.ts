// Owns which templates this daemon has: one for each size of VM. The standard size's is made at the start and stays
// open; another's is made in the background when a VM of that size had to boot, and the last used ones are kept open.
// Does not own how one is made (template.ts), nor clones.
//
//   absent ─make▶ on the disk ─use▶ open ─others were used since▶ on the disk
//     ▲               └────────────────┴─could not be made, or a clone failed▶ given up ─┐
//     └────────────────────────── after a while (back-off.ts) ──────────────────────────┘

import type { Aid, Warn } from '../driver.ts';
import { BackOff, inSeconds, type BackOffLimits } from './back-off.ts';
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
  /** Nobody uses it any more from now on. */
  dropped: boolean;
}

export interface TemplatesOptions {
  readonly retry: BackOffLimits;
  readonly warn: Warn;
  /** Nothing more is made or opened then. */
  readonly closing: AbortSignal;
  /** The standard size's can be used, for the first time or again. */
  readonly standardIsThere: () => void;
}

export class Templates implements AsyncDisposable {
  readonly #parts: Making;
  readonly #options: TemplatesOptions;
  readonly #warn: Warn;
  readonly #closing: AbortSignal;
  readonly #making = new Map<string, Promise<void>>();
  readonly #failures = new Map<string, BackOff>();
  /** The last used comes last. */
  #opened: Opened[] = [];
  readonly #directories = new Map<string, string>();
  #basis: Promise<string> | null = null;
  #again: NodeJS.Timeout | undefined;

  /** Dispose it when `closing` has fired. */
  constructor(parts: Making, options: TemplatesOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#warn = options.warn;
    this.#closing = options.closing;
  }

  /** How the standard size's is. */
  get standard(): Aid {
    const { machine } = this.#parts.settings;
    const name = 'VM template';
    const againInMs = this.#backOff(machine).againInMs;
    if (againInMs !== null) return { name, state: 'failed', againInMs };
    return { name, state: this.#opened.some(({ size }) => isSameSize(size, machine)) ? 'ready' : 'making' };
  }

  /**
   * Makes and opens the standard size's, which stays open. False when it can't be had now: that has been told then, and
   * it is tried again.
   */
  async openStandard(background = false): Promise<boolean> {
    const { machine } = this.#parts.settings;
    await this.make(machine, background);
    const there = (await this.use(machine, async () => true)) === true;
    if (there) this.#options.standardIsThere();
    else if (!this.#closing.aborted) this.#failed(machine, 'The template of utility VMs is missing: they boot.', null);
    return there;
  }

  /** Makes a size's where there is none. Never throws. */
  make(size: Size, background = true): Promise<void> {
    const key = keyOf(size);
    if (this.#backOff(size).againInMs !== null || this.#closing.aborted) return Promise.resolve();
    const making = this.#making.get(key) ?? this.#make(size, background).finally(() => this.#making.delete(key));
    this.#making.set(key, making);
    return making;
  }

  /**
   * Does `work` with the template of a size. Null where there is none (yet). `giveUp` is for work that finds it broken:
   * VMs boot until it has been made anew.
   */
  async use<T>(
    size: Size,
    work: (template: Template, giveUp: (error: unknown) => Promise<void>) => Promise<T>,
  ): Promise<T | null> {
    const opened = await this.#take(size);
    if (opened === null) return null;
    try {
      return await work(await opened.template, (error) => this.#giveUp(opened, error));
    } finally {
      opened.uses -= 1;
      if (opened.dropped && opened.uses === 0) (await opened.template).close();
      await this.#closeUnused();
    }
  }

  /** A clone of it failed, or it can't be opened. */
  async #giveUp(opened: Opened, error: unknown): Promise<void> {
    if (opened.dropped) return;
    opened.dropped = true;
    this.#opened = this.#opened.filter((one) => one !== opened);
    const { size } = opened;
    const directory = this.#directories.get(keyOf(size));
    this.#failed(size, "A clone of the utility VMs' template failed: VMs boot, which takes longer.", error);
    if (directory !== undefined) await dropTemplate(directory);
  }

  /** Tells it once, however many find it. */
  #failed(size: Size, sentence: string, error: unknown): void {
    if (this.#backOff(size).againInMs !== null) return;
    // What it is made of may be another next time.
    this.#basis = null;
    this.#directories.delete(keyOf(size));
    const againMs = this.#backOff(size).failed();
    this.#warn(`${sentence} It is made again in ${inSeconds(againMs)}.`, { err: error, ...size });
    if (!isSameSize(size, this.#parts.settings.machine)) return; // made when the next VM of that size has booted
    clearTimeout(this.#again);
    this.#again = setTimeout(() => void this.openStandard(true), againMs).unref();
  }

  #backOff(size: Size): BackOff {
    const known = this.#failures.get(keyOf(size)) ?? new BackOff(this.#options.retry);
    this.#failures.set(keyOf(size), known);
    return known;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#again);
    await Promise.all(this.#making.values());
    for (const { template } of this.#opened.splice(0))
      await template.then(
        (one) => one.close(),
        () => undefined,
      );
  }

  async #make(size: Size, background: boolean): Promise<void> {
    try {
      const basis = await (this.#basis ??= templateBasis(this.#parts));
      await makeTemplate(this.#parts, await this.#directory(size), size, background, this.#closing);
      await removeStaleTemplates(this.#parts, basis);
    } catch (error) {
      if (this.#closing.aborted) return;
      this.#failed(size, 'The template of utility VMs could not be made: they boot, which takes longer.', error);
    }
  }

  /** Opens it where it isn't, and holds it open: the caller lets go. */
  async #take(size: Size): Promise<Opened | null> {
    if (this.#backOff(size).againInMs !== null || this.#closing.aborted) return null;
    let opened: Opened | undefined;
    try {
      const directory = await this.#directory(size);
      if (!(await hasTemplate(directory))) return null;
      opened = this.#opened.find((one) => isSameSize(one.size, size)) ?? {
        size,
        template: openTemplate(this.#parts, directory, this.#closing),
        uses: 0,
        dropped: false,
      };
      opened.uses += 1;
      this.#opened = [...this.#opened.filter((one) => one !== opened), opened];
      await opened.template;
      this.#backOff(size).succeeded();
      return opened;
    } catch (error) {
      if (this.#closing.aborted) return null;
      if (opened !== undefined) await this.#giveUp(opened, error);
      else this.#failed(size, 'The template of utility VMs could not be looked for: they boot.', error);
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
