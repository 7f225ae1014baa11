// Owns a few megabytes of the data root's disk that are given up when it is full: without them the daemon could not
// even write down that a container ended or was removed, which is what makes room again. Does not own the guard that
// refuses starts before it comes to that.

import { rmSync, statSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const reserveBytes = 8 << 20;
const retakeMs = 30_000;

export class DiskReserve implements Disposable {
  readonly #path: string;
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#take();
  }

  /** Gives the room up; false when it has been given up already. It is taken again once the disk has room enough. */
  release(): boolean {
    if (!this.#isHeld()) return false;
    rmSync(this.#path, { force: true });
    this.#timer ??= setInterval(() => this.#take(), retakeMs).unref();
    return true;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #isHeld(): boolean {
    return (statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0) === reserveBytes;
  }

  #take(): void {
    if (this.#isHeld()) return;
    const { bavail, bsize } = statfsSync(dirname(this.#path));
    if (bavail * bsize < 4 * reserveBytes) return;
    // Bytes, not a hole: only what is written is really held.
    writeFileSync(this.#path, Buffer.alloc(reserveBytes, 1), { mode: 0o600 });
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
