// Owns the way of commits to the disk. SQLite hands them to the kernel without a wait; a moment later they are put on
// the disk here, for all that were made until then at once, while nobody waits, or for whoever must know that they are.

import { closeSync, fdatasync, openSync } from 'node:fs';
import { promisify } from 'node:util';

/** A commit that nobody waits for is on the disk so much later, and however long that takes. */
const delayMs = 100;
const sync = promisify(fdatasync);

export class Flusher implements Disposable {
  readonly #file: number;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();
  /** Begins when the one under way is done, which may have begun before the last commit. */
  #next: Promise<void> | null = null;
  #dirty = false;

  /** `path`: the WAL, which is there as long as the database is open. */
  constructor(path: string) {
    this.#file = openSync(path, 'r');
  }

  /** Something has been committed. */
  noteCommit(): void {
    this.#dirty = true;
    this.#timer ??= setTimeout(() => void this.flush(), delayMs).unref();
  }

  /** All that has been committed is on the disk when it resolves. */
  flush(): Promise<void> {
    if (!this.#dirty) return this.#flushing;
    this.#next ??= this.#flushing
      .catch(() => undefined) // was told to those who waited for it
      .then(() => {
        this.#next = null;
        this.#dirty = false;
        clearTimeout(this.#timer);
        this.#timer = undefined;
        return (this.#flushing = sync(this.#file));
      });
    return this.#next;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    const close = () => closeSync(this.#file);
    void (this.#next ?? this.#flushing).then(close, close);
  }
}
