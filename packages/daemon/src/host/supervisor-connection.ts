// Owns conversations with a sandbox's supervisor over its unix socket: requests and their answers, a process's streams,
// the stream of events; with back-pressure both ways. The frames are packages/contract/src/wire.ts's. Does not own the
// supervisor's process (supervisor-process.ts), nor what the requests mean.

import { FrameType, isTwofoldError, TlvReader, TwofoldError, TlvWriter } from '@twofold/contract';
import { Conversation, errorOf } from './conversation.ts';
import { SupervisorStreams, type WantedStreams } from './supervisor-streams.ts';

/**
 * A supervisor by its socket. Holds at most one idle connection; dispose it to let go of the supervisor, which does not
 * mind.
 */
export class SupervisorConnection implements Disposable {
  readonly #socketPath: string;
  /** Those that have become a process's streams. */
  readonly #streaming = new Set<Conversation>();
  #idle: Conversation | null = null;
  #disposed = false;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Process id of the supervisor; rejects with `sandbox-gone` when nobody answers. */
  async pid(signal: AbortSignal): Promise<number> {
    const conversation = await this.#take(signal);
    const pid = conversation.supervisorPid;
    this.#giveBack(conversation);
    return pid;
  }

  /**
   * One request and its REPLY. Rejects with the supervisor's own code and message, `sandbox-gone` when it vanished,
   * `cancelled` when the signal fired.
   */
  async request(type: FrameType, payload: TlvWriter, signal: AbortSignal): Promise<TlvReader> {
    const conversation = await this.#take(signal);
    const reply = await ask(conversation, type, payload, signal);
    this.#giveBack(conversation);
    return reply;
  }

  /** A request whose conversation becomes a process's streams: ATTACH, EXEC, TOOL, QMP. */
  async openStreams(
    type: FrameType,
    payload: TlvWriter,
    want: WantedStreams,
    signal: AbortSignal,
  ): Promise<{ reply: TlvReader; streams: SupervisorStreams }> {
    const conversation = await this.#take(signal);
    const reply = await ask(conversation, type, payload, signal);
    const streams = new SupervisorStreams(conversation, want);
    this.#streaming.add(conversation);
    const ended = () => this.#streaming.delete(conversation);
    streams.exit.then(ended, ended);
    return { reply, streams };
  }

  /**
   * Events from now on, in order. Throws `sandbox-gone` when the supervisor vanishes; returns when the signal fires.
   */
  async *watch(signal: AbortSignal, onReady?: () => void): AsyncGenerator<TlvReader, void, undefined> {
    const conversation = await this.#take(signal);
    try {
      await ask(conversation, FrameType.WATCH, new TlvWriter(), signal);
      onReady?.();
      for (;;) {
        const frame = await conversation.read(signal);
        if (frame.type === FrameType.EVENT) yield new TlvReader(frame.payload);
      }
    } catch (error) {
      if (!isTwofoldError(error, 'cancelled')) throw error;
    } finally {
      conversation.destroy();
    }
  }

  /** Resolves when the supervisor has let go of its socket, which it does by ending. */
  async gone(signal: AbortSignal): Promise<void> {
    try {
      const conversation = await this.#take(signal);
      for (;;) await conversation.read(signal);
    } catch (error) {
      if (!isTwofoldError(error, 'sandbox-gone')) throw error;
    }
  }

  /** Takes what processes have put out though nobody has read it yet: before the supervisor is asked to end. */
  takeOutput(): void {
    for (const conversation of this.#streaming) conversation.takeAll();
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#idle?.destroy();
    this.#idle = null;
  }

  async #take(signal: AbortSignal): Promise<Conversation> {
    const idle = this.#idle;
    this.#idle = null;
    return idle !== null && idle.isOpen ? idle : Conversation.open(this.#socketPath, signal);
  }

  #giveBack(conversation: Conversation): void {
    if (this.#idle !== null || this.#disposed) conversation.destroy();
    else this.#idle = conversation;
  }
}

async function ask(
  conversation: Conversation,
  type: FrameType,
  payload: TlvWriter,
  signal: AbortSignal,
): Promise<TlvReader> {
  try {
    void conversation.write(type, payload.finish());
    const frame = await conversation.read(signal);
    if (frame.type === FrameType.REPLY) return new TlvReader(frame.payload);
    if (frame.type === FrameType.ERROR) throw errorOf(new TlvReader(frame.payload));
    throw new TwofoldError('protocol', 'The supervisor answered a request with something else.');
  } catch (error) {
    conversation.destroy();
    throw error;
  }
}
