// Owns what a handler is given. Handlers never see the server, other requests or a driver.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Engine } from '../engine/engine.ts';
import type { Query } from './query.ts';

export interface VersionInfo {
  /** Of this release: `0.1.0`. */
  readonly version: string;
  readonly gitCommit?: string;
}

/** One of the two streams that a verb writes to. */
export interface VerbOutput {
  /** Resolves when the client can take more. */
  write(text: string): Promise<void>;
  /** It ends at a terminal whose owner wants colours. */
  readonly colours: boolean;
  /** Of that terminal; undefined where there is none. */
  readonly columns: number | undefined;
}

/**
 * Runs the command line `words` of the CLI's for a client of the API and resolves with its exit code. What goes wrong
 * is told on `stderr`; throws `invalid-argument` for words that are no verb which can run here. `signal` ends it.
 */
export type RunVerb = (
  words: readonly string[],
  client: { stdout: VerbOutput; stderr: VerbOutput; signal: AbortSignal },
) => Promise<number>;

export interface Caller {
  readonly engine: Engine;
  readonly versionInfo: VersionInfo;
  readonly runVerb: RunVerb;
  readonly log: Logger;
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: Query;
  /** The x of API version 1.x. */
  readonly minor: number;
  readonly request: IncomingMessage;
  /** Fires when the client hangs up or the server closes. For reading, following and waiting. */
  readonly signal: AbortSignal;
  /**
   * Fires when the time is over or the server closes, and not when the client hangs up: a change once begun is carried
   * through.
   */
  lasting(limitMs: number): AbortSignal;
}

export interface Context extends Caller {
  readonly response: ServerResponse;
}

export type Handler = (context: Context) => Promise<void> | void;

/** How long a change may take before it is called off. Stops wait for their own time limit, which may be for ever. */
export const changeLimitMs = 10 * 60_000;
