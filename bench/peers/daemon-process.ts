// Owns a daemon of the bench's: its process, its log, and the time until it answers at its socket. Knows no engine.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const answerTimeoutMs = 60_000;
const askEveryMs = 2;

export interface DaemonCommand {
  readonly words: readonly [string, ...string[]];
  readonly env?: NodeJS.ProcessEnv;
  readonly socket: string;
  readonly log: string;
}

export class DaemonProcess implements AsyncDisposable {
  readonly #command: DaemonCommand;
  #child: ChildProcess | null = null;
  #disposed = false;

  constructor(command: DaemonCommand) {
    this.#command = command;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Milliseconds until the first answer. Throws with the daemon's log when it ends or says nothing for a minute. */
  async start(): Promise<number> {
    if (this.#disposed) throw new Error('The daemon has been taken away.');
    const {
      words: [file, ...args],
      env = process.env,
      socket,
      log,
    } = this.#command;
    const output = openSync(log, 'a');
    const began = performance.now();
    const child = spawn(file, args, { env, stdio: ['ignore', output, output] });
    closeSync(output);
    this.#child = child;
    while (!(await answers(socket))) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`${file} ended with ${child.exitCode ?? child.signalCode}: ${readFileSync(log, 'utf8')}`);
      if (performance.now() - began > answerTimeoutMs)
        throw new Error(`${file} did not answer within ${answerTimeoutMs / 1000} s.`);
      await sleep(askEveryMs);
    }
    return performance.now() - began;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }

  /** It can't be started again. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await this.stop();
  }
}

function answers(socketPath: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const asked = request({ socketPath, path: '/_ping', agent: false }, (response) => {
    response.resume();
    resolve(response.statusCode === 200);
  });
  asked.on('error', () => resolve(false)); // nobody listens yet
  asked.end();
  return promise;
}
