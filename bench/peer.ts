// Owns what the bench asks of an engine that it compares. One engine per file in peers/.

/** A container engine under measurement. It runs with roots of its own and leaves nothing behind. */
export interface Peer extends AsyncDisposable {
  readonly name: string;
  /** The engine's version line, for the report. */
  readonly version: string;
  /** The command line that runs `docker WORDS…` against this engine. */
  command(words: readonly string[]): { file: string; args: string[]; env: NodeJS.ProcessEnv };
}

/** A peer that can't be had on this machine, and why: the report says so instead of leaving it out. */
export interface MissingPeer {
  readonly name: string;
  readonly why: string;
}
