// Owns waiting for a log to grow: the file system's notice where it comes, and a look every so often where it doesn't.
// Does not read.

import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { dirname } from 'node:path';

const lookEveryMs = 500; // notices can be lost (inotify's limits, network file systems)

/** Tells when the directory of a log may have changed since the last `wait`. */
export class Growth implements Disposable {
  #watcher: FSWatcher | null = null;
  #changed = false;
  #wake: (() => void) | null = null;
  readonly #stop: AbortSignal[];
  readonly #onStop = () => this.#notice();

  /** `stop`: signals whose firing ends a wait at once. */
  constructor(path: string, stop: readonly AbortSignal[]) {
    this.#stop = [...stop];
    for (const signal of this.#stop) signal.addEventListener('abort', this.#onStop);
    try {
      this.#watcher = watch(dirname(path), { persistent: false }, () => this.#notice());
      this.#watcher.on('error', () => this.#unwatch());
    } catch {
      this.#watcher = null; // no more watches to be had: looking every so often serves
    }
  }

  /** Resolves at a change since the last call, at a stop, or after a while. */
  async wait(limitMs = lookEveryMs): Promise<void> {
    if (!this.#changed && !this.#stop.some((signal) => signal.aborted)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, Math.min(limitMs, lookEveryMs));
      this.#wake = resolve;
      await promise;
      clearTimeout(timer);
      this.#wake = null;
    }
    this.#changed = false;
  }

  #notice(): void {
    this.#changed = true;
    this.#wake?.();
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = null;
  }

  [Symbol.dispose](): void {
    for (const signal of this.#stop) signal.removeEventListener('abort', this.#onStop);
    this.#unwatch();
  }
}
