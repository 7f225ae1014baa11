// Owns exec: a further process in a running container.

import { setTimeout as delay } from 'node:timers/promises';
import type { ExecDetails } from './answers.ts';
import type { Cancellable } from './containers.ts';
import { TwofoldApiError } from './error.ts';
import { Session } from './session.ts';
import { segment, type Transport } from './transport.ts';

export interface ExecOptions {
  readonly command: readonly string[];
  readonly stdin?: boolean;
  readonly tty?: boolean;
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workingDirectory?: string;
  readonly privileged?: boolean;
  readonly detachKeys?: string;
  readonly size?: { readonly rows: number; readonly columns: number };
}

export interface ExecSession extends AsyncDisposable {
  readonly id: string;
  readonly session: Session;
  /** The exit code; to be asked for when output has ended. */
  exitCode(): Promise<number>;
  resize(size: { rows: number; columns: number }): Promise<void>;
}

/** How long the daemon may take from the end of output to the exit code. */
const exitLimitMs = 10_000;

export class Execs {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async create(container: string, options: ExecOptions & Cancellable, attached = true): Promise<string> {
    const size = options.size === undefined ? {} : { ConsoleSize: [options.size.rows, options.size.columns] };
    const made = await this.#transport.json<{ Id: string }>('POST', `/containers/${segment(container)}/exec`, {
      ...(options.signal ? { signal: options.signal } : {}),
      json: {
        Cmd: options.command,
        AttachStdin: attached && options.stdin === true,
        AttachStdout: attached,
        AttachStderr: attached,
        Tty: options.tty === true,
        Env: options.env,
        User: options.user,
        WorkingDir: options.workingDirectory,
        Privileged: options.privileged,
        DetachKeys: options.detachKeys,
        ...size,
      },
    });
    return made.Id;
  }

  inspect(id: string, options: Cancellable = {}): Promise<ExecDetails> {
    return this.#transport.json('GET', `/exec/${segment(id)}/json`, options);
  }

  resize(id: string, size: { rows: number; columns: number }, options: Cancellable = {}): Promise<void> {
    return this.#transport.json('POST', `/exec/${segment(id)}/resize`, {
      ...options,
      query: { h: size.rows, w: size.columns },
    });
  }

  /** Starts it and lets it run. */
  async runDetached(container: string, options: ExecOptions & Cancellable): Promise<string> {
    const id = await this.create(container, options, false);
    await this.#transport.json('POST', `/exec/${segment(id)}/start`, {
      ...(options.signal ? { signal: options.signal } : {}),
      json: { Detach: true, Tty: options.tty === true },
    });
    return id;
  }

  /** A command that isn't there tells so on stdout and exits with 127, as docker has it. */
  async run(container: string, options: ExecOptions & Cancellable): Promise<ExecSession> {
    const id = await this.create(container, options);
    const size = options.size === undefined ? {} : { ConsoleSize: [options.size.rows, options.size.columns] };
    const { socket, contentType } = await this.#transport.upgrade(`/exec/${segment(id)}/start`, {
      ...(options.signal ? { signal: options.signal } : {}),
      json: { Detach: false, Tty: options.tty === true, ...size },
    });
    const session = new Session(socket, contentType);
    return {
      id,
      session,
      exitCode: () => this.#exitCode(id),
      resize: (wanted) => this.resize(id, wanted),
      [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
    };
  }

  /** The exit is told to the daemon right after the end of output, so it may be a moment behind. */
  async #exitCode(id: string): Promise<number> {
    const limit = Date.now() + exitLimitMs;
    for (;;) {
      const { ExitCode } = await this.inspect(id);
      if (ExitCode !== null) return ExitCode;
      if (Date.now() > limit) throw new TwofoldApiError(0, 'The exec has ended its output but is still running.');
      await delay(5);
    }
  }
}
