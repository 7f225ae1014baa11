// Owns what lives of a container in memory only: its queue, a start under way, those who wait for its end, attachments
// made before its start. All of it is lost with the daemon, and nothing of it is missed then. Decides nothing.

import type { ContainerId } from '@twofold/contract';
import type { ExitStatus } from '../../drivers/driver.ts';
import type { PendingAttachment } from './pending-attachment.ts';
import { SerialQueue } from './queue.ts';

/** What a waiter is told. */
export type Ending =
  | { readonly kind: 'exit'; readonly exitCode: number; readonly willRestart: boolean }
  /** It has ended, and that can't be written down yet (a full disk): `exit` follows. */
  | { readonly kind: 'unwritten-exit' }
  | { readonly kind: 'removed'; readonly exitCode: number }
  | { readonly kind: 'removal-failed'; readonly error: string }
  | { readonly kind: 'start-failed'; readonly exitCode: number; readonly error: string };

export class Presence {
  readonly queue = new SerialQueue();
  /** Aborting it gives up the start under way. */
  starting: AbortController | null = null;
  /** An exit that came before the start had been written down. */
  earlyExit: ExitStatus | null = null;
  /** Somebody has ended it from outside: a sandbox that is told as gone was killed. */
  endedHard = false;
  /** Somebody wants it to end: its restart policy heeds that, even where it could not be written down. */
  stopAsked = false;
  /** It has ended, and its row still says that it runs. */
  exitUnwritten = false;
  /** The sandbox is (or may be) there: it must be cleared away before the next start. */
  sandboxUp = false;
  /** Streams of its files to clients, which hold the queue for as long as those read; aborting one ends it. */
  readonly streaming = new Set<AbortController>();
  /** So many stop it to start it again: `--rm` does not mean the end between. */
  restartsAsked = 0;
  /** Waits for its turn to start again; aborting it gives that up. */
  restarting: AbortController | null = null;
  /** Restarts by policy in a row, none of which ran for long. */
  quickRestarts = 0;
  readonly pending = new Set<PendingAttachment>();
  readonly #listeners = new Set<(ending: Ending) => void>();

  /** Tells everybody who waits now. */
  tell(ending: Ending): void {
    for (const listener of [...this.#listeners]) listener(ending);
  }

  onEnding(listener: (ending: Ending) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }
}

export class Presences {
  readonly #byId = new Map<ContainerId, Presence>();

  of(id: ContainerId): Presence {
    let presence = this.#byId.get(id);
    if (presence === undefined) this.#byId.set(id, (presence = new Presence()));
    return presence;
  }

  forget(id: ContainerId): void {
    this.#byId.delete(id);
  }
}
