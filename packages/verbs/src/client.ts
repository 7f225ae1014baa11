// Owns what a verb knows of whoever runs it. A verb serves a person at a shell and, in the daemon, many at once: it
// writes nowhere else, reaches no other daemon, and knows no state of the process that it runs in.

import type { Twofold } from '@twofold/sdk';

/** One of the two streams that a verb writes to. */
export interface Output {
  /** Resolves when more can be taken: who has much to say waits for it. */
  write(text: string): Promise<void>;
  /** It is a terminal, and its owner wants colours there. */
  readonly colours: boolean;
  /** Of the terminal; undefined where it is none. */
  readonly columns: number | undefined;
}

/** Which daemon the global words of a command line mean; by neither, the environment says. */
export interface Address {
  readonly host?: string;
  readonly instance?: string;
}

export interface Client {
  readonly stdout: Output;
  readonly stderr: Output;
  /** A client of the daemon that the words mean. Throws `invalid-argument` for what is no address. */
  connect(address: Address): Twofold;
}
