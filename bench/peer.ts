// Owns what the bench asks of an engine that it compares. One engine per file in peers/.

/**
 * A container engine under measurement, with roots of its own. Who starts it gives it a stack to put its end on, so
 * that it leaves nothing behind.
 */
export interface Peer {
  readonly name: string;
  /** The engine's version line, for the report. */
  readonly version: string;
  /** Process id of its daemon now; null where it has none. */
  readonly daemonPid: number | null;
  /** The command line that runs `docker WORDS…` against this engine. */
  command(words: readonly string[]): { file: string; args: string[]; env: NodeJS.ProcessEnv };
  /** Resolves when nothing that the engine does by itself would disturb a measurement. */
  settled?(): Promise<void>;
  /** Ends its daemon and starts it anew; milliseconds from the start of the process to its first answer. */
  restart?(): Promise<number>;
}

/** What could not be measured, and why: the report says so instead of leaving it out. */
export interface Missing {
  readonly what: string;
  readonly why: string;
}
