// Owns a measurement's containers: asleep, of one peer, and taken away in one go.

import type { Peer } from './peer.ts';
import { run } from './run.ts';

const startTimeoutMs = 600_000;

export class Sleepers implements AsyncDisposable {
  readonly ids: string[] = [];
  readonly #peer: Peer;
  readonly #image: string;

  constructor(peer: Peer, image: string) {
    this.#peer = peer;
    this.#image = image;
  }

  /** Starts one more; its id. */
  async add(): Promise<string> {
    const id = (
      await run(this.#peer, ['run', '--detach', this.#image, 'sleep', '86400'], { timeoutMs: startTimeoutMs })
    ).stdout
      .split('\n')
      .at(-1)!;
    this.ids.push(id);
    return id;
  }

  /** One of them, or the one given, answers. */
  async answer(id: string): Promise<number> {
    return (await run(this.#peer, ['exec', id, 'true'], { timeoutMs: startTimeoutMs })).milliseconds;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.ids.length > 0)
      await run(this.#peer, ['rm', '--force', ...this.ids.splice(0)], { timeoutMs: startTimeoutMs });
  }
}

/** `work` for each of `count`, `atOnce` of them at a time. */
export async function spread(count: number, atOnce: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(atOnce, count) }, async () => {
      while (next < count) await work(next++);
    }),
  );
}
