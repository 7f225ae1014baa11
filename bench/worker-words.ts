// Owns the proof that the VMs behind all rows of a run are of one kind: the words that their workers (QEMU) were
// started with.

import { readOf } from './processes.ts';

/** What differs between VMs of one kind, and says nothing about them. */
const identities = new Set(['-name']);

export class WorkerWords {
  #first: readonly string[] | null = null;

  /**
   * Throws when the worker was started otherwise than those before it: its figures don't belong beside theirs. One that
   * has ended meanwhile is left out.
   */
  check(pid: number): void {
    const words = kindOf(readOf(pid, 'cmdline'));
    if (words.length === 0) return;
    this.#first ??= words;
    const differing = words.filter((word, index) => word !== this.#first![index]);
    if (differing.length > 0 || words.length !== this.#first.length)
      throw new Error(
        `VMs of different kinds in one run: ${differing.join(' ')} is not what the first one was started with.`,
      );
  }

  /** What tells: accelerator, processor, memory. */
  get summary(): string {
    const words = this.#first ?? [];
    return ['-accel', '-cpu', '-smp', '-m']
      .flatMap((name) => (words.includes(name) ? [name, words[words.indexOf(name) + 1]!] : []))
      .join(' ');
  }
}

/** Pure: a command line as the kernel tells it, without the words that name one VM. */
export function kindOf(cmdline: string): string[] {
  const words = cmdline.split('\0').slice(0, -1);
  return words.filter((_, index) => !identities.has(words[index - 1] ?? ''));
}
