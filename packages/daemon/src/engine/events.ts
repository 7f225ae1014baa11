// Owns the events that the engine tells: the last 1,000 are kept in the database, the coming ones go to whoever
// listens. Events tell; nobody steers by them.
//
//   publish   with the row that it tells of: one transaction, then the listeners. It throws with the transaction.
//   note      what has happened and changes no row: told in any case, kept where that can be done.

import { TwofoldError } from '@twofold/contract';
import type { Logger } from 'pino';
import type { Database } from '../state/database.ts';
import type { EngineEvent } from './engine.ts';

const kept = 1_000;
/** A listener that is further behind than this is dropped: it does not read. */
const maxBehind = 10_000;
const migrations = [
  'CREATE TABLE events (id INTEGER PRIMARY KEY, time TEXT NOT NULL, type TEXT NOT NULL, action TEXT NOT NULL, actor TEXT NOT NULL, attributes TEXT NOT NULL) STRICT',
];

type Happening = Omit<EngineEvent, 'timeNano'>;

export class EventLog {
  readonly #database: Database;
  readonly #log: Logger;
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  #lastTime = 0n;
  #sincePruned = 0;
  /** Told and not kept, since the last one that was. */
  #lost = 0;

  constructor(database: Database, log: Logger) {
    this.#database = database;
    this.#log = log;
    database.migrate('events', migrations);
  }

  /** A part of the transaction under way, which changes what it tells of: both are there, or neither. */
  publish(event: Happening): void {
    if (!this.#database.inTransaction)
      throw new TwofoldError('internal', `The event ${event.action} is not part of the transaction that it reports.`);
    const whole = this.#stamped(event);
    this.#keep(whole);
    this.#database.afterCommit('tell', () => this.#tell(whole));
  }

  /** Never throws: what it tells of has been done, and who did it must not hear of a failure. */
  note(event: Happening): void {
    this.#database.afterCommit('tell', () => this.#note(event));
  }

  #note(event: Happening): void {
    const whole = this.#stamped(event);
    try {
      this.#keep(whole);
      if (this.#lost > 0)
        this.#log.warn({ lost: this.#lost }, 'Events are saved again; some were reported but not saved.');
      this.#lost = 0;
    } catch (error) {
      if (this.#lost++ === 0)
        this.#log.error({ err: error, action: event.action }, 'An event could not be saved to the journal.');
    }
    this.#tell(whole);
  }

  /** Times are unique and in the order of publication, so that `since` misses and repeats nothing. */
  #stamped(event: Happening): EngineEvent {
    const now = BigInt(Date.now()) * 1_000_000n;
    this.#lastTime = now > this.#lastTime ? now : this.#lastTime + 1n;
    return { ...event, timeNano: this.#lastTime };
  }

  #keep({ timeNano, type, action, actor, attributes }: EngineEvent): void {
    this.#database.run(
      'INSERT INTO events (time, type, action, actor, attributes) VALUES (?, ?, ?, ?, ?)',
      String(timeNano),
      type,
      action,
      actor,
      JSON.stringify(attributes),
    );
    if (++this.#sincePruned < 100) return;
    this.#sincePruned = 0;
    this.#database.run('DELETE FROM events WHERE id <= (SELECT MAX(id) FROM events) - ?', kept);
  }

  #tell(event: EngineEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  /**
   * Kept events from `since` on, then the coming ones until `until` or the signal. Without `since`: the coming ones
   * only.
   */
  async *stream(range: { since?: bigint; until?: bigint }, signal: AbortSignal): AsyncIterable<EngineEvent> {
    const queue: EngineEvent[] = [];
    let wake = Promise.withResolvers<void>();
    const listen = (event: EngineEvent) => {
      queue.push(event);
      if (queue.length > maxBehind) this.#listeners.delete(listen);
      wake.resolve();
    };
    const untilMs = range.until === undefined ? undefined : Number(range.until / 1_000_000n) - Date.now();
    let ended = untilMs !== undefined && untilMs <= 0;
    const end = () => {
      ended = true;
      wake.resolve();
    };
    const timer = ended || untilMs === undefined ? undefined : setTimeout(end, Math.min(untilMs, 2 ** 31 - 1));
    signal.addEventListener('abort', end, { once: true });
    try {
      if (signal.aborted) return;
      // Listening begins before the kept ones are read; both happen in one turn, so nothing falls between.
      if (!ended) this.#listeners.add(listen);
      if (range.since !== undefined) yield* this.#kept(range.since, range.until);
      while (!ended || queue.length > 0) {
        const next = queue.shift();
        if (next !== undefined) {
          if (range.until !== undefined && next.timeNano > range.until) return;
          yield next;
          continue;
        }
        if (signal.aborted || !this.#listeners.has(listen)) return;
        await wake.promise;
        wake = Promise.withResolvers<void>();
      }
    } finally {
      this.#listeners.delete(listen);
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    }
  }

  #kept(since: bigint, until?: bigint): EngineEvent[] {
    return this.#database
      .all<{ time: string; type: EngineEvent['type']; action: string; actor: string; attributes: string }>(
        'SELECT * FROM (SELECT * FROM events ORDER BY id DESC LIMIT ?) ORDER BY id',
        kept,
      )
      .map((row) => ({
        type: row.type,
        action: row.action,
        actor: row.actor,
        attributes: JSON.parse(row.attributes) as Record<string, string>,
        timeNano: BigInt(row.time),
      }))
      .filter((event) => event.timeNano >= since && (until === undefined || event.timeNano <= until));
  }
}
