// Owns container.json in a container's directory: what `recover` makes its row of when the database is lost. It says
// what the container is and which addresses it has; what it is doing is asked of its sandbox. Written a moment after
// the row, so that no command waits for it, and a container that has gone by then costs nothing.

import type { ContainerId } from '@twofold/contract';
import type { Logger } from 'pino';
import type { Settings } from '../../settings.ts';
import { ensureDescription, readDescription } from '../../state/description.ts';
import { descriptionPath } from '../places.ts';
import type { StoredContainer } from './records.ts';

const version = 1;
const delayMs = 500;
/** What a run changes; the rest is described. */
const lived = ['life', 'restartCount', 'stoppedByUser', 'execIds'] as const;
type Lived = (typeof lived)[number];
type Roots = Pick<Settings, 'dataRoot' | 'runRoot'>;

export type DescribedContainer = Omit<StoredContainer, Lived>;

export class ContainerDescriptions implements Disposable {
  readonly #roots: Roots;
  readonly #find: (id: ContainerId) => StoredContainer | undefined;
  readonly #log: Logger;
  readonly #due = new Set<ContainerId>();
  #timer: NodeJS.Timeout | undefined;

  constructor(roots: Roots, find: (id: ContainerId) => StoredContainer | undefined, log: Logger) {
    this.#roots = roots;
    this.#find = find;
    this.#log = log;
  }

  /** Takes note of what has been committed. */
  noteChange(after: StoredContainer, before: StoredContainer | null): void {
    if (before !== null && isSame(before, after)) return;
    this.note(after.id);
  }

  note(id: ContainerId): void {
    this.#due.add(id);
    this.#timer ??= setTimeout(() => this.#write(), delayMs).unref();
  }

  [Symbol.dispose](): void {
    this.#write();
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const id of this.#due) {
      const record = this.#find(id);
      if (record === undefined || record.life.at === 'removing' || record.life.at === 'dead') continue;
      try {
        ensureDescription(descriptionPath(this.#roots, id), version, described(record));
      } catch (error) {
        // A full disk: it is made good at its next change, or at the next start.
        this.#log.warn({ container: id, err: error }, 'A container could not be described on disk.');
      }
    }
    this.#due.clear();
  }
}

/** Null where there is none. */
export function readDescribed(roots: Roots, id: ContainerId): DescribedContainer | null {
  return readDescription<DescribedContainer>(descriptionPath(roots, id), version);
}

function described(record: StoredContainer): DescribedContainer {
  const { life: _life, restartCount: _count, stoppedByUser: _stopped, execIds: _execs, ...rest } = record;
  return rest;
}

/** A record that is changed shares with the one before it what has not been. */
function isSame(before: StoredContainer, after: StoredContainer): boolean {
  return (Object.keys(after) as (keyof StoredContainer)[]).every(
    (key) => before[key] === after[key] || lived.includes(key as Lived),
  );
}
