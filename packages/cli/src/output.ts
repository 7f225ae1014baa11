// Owns the streams of this process as the CLI's client of its verbs has them, and the printing of the verbs that only
// the CLI has.

import type { Command } from 'commander';
import { Twofold } from '@twofold/sdk';
import type { Client, Output } from '@twofold/verbs/client.ts';
import * as daemon from '@twofold/verbs/connect.ts';
import * as output from '@twofold/verbs/output.ts';

/** Looked at when it is asked: opening a stream that nothing is written to costs time at the start. */
function outputOf(name: 'stdout' | 'stderr'): Output {
  return {
    write: (text) => new Promise((resolve) => process[name].write(text, () => resolve())),
    get colours() {
      return process[name].isTTY && process.env['NO_COLOR'] === undefined;
    },
    get columns() {
      return process[name].isTTY ? process[name].columns : undefined;
    },
  };
}

/** The person (or script) that has started this process. */
export const here: Client = {
  stdout: outputOf('stdout'),
  stderr: outputOf('stderr'),
  connect: (address) => new Twofold({ socketPath: daemon.socketPathOf(address, process.env) }),
};

export function print(text: string): void {
  void output.print(here, text);
}

/** Progress and notices: not part of a command's answer. */
export function tell(text: string): void {
  void here.stderr.write(`${text}\n`);
}

export function paint(colour: Parameters<typeof output.paint>[0], text: string, stream: Output = here.stdout): string {
  return output.paint(colour, text, stream);
}

/** Runs a verb's work with a client of the daemon, and explains what goes wrong. */
export function withDaemon<T>(command: Command, work: (twofold: Twofold) => Promise<T>): Promise<T> {
  return daemon.withDaemon(command, here, work);
}
