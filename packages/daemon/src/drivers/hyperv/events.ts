// Owns the one stream of events of all sandboxes: each sandbox's are followed on a conversation of its own and put into
// one queue, in order.

import {
  FrameType,
  isTwofoldError,
  Tag,
  TlvWriter,
  type ContainerId,
  type ExecId,
  type SandboxId,
  type TlvReader,
} from '@twofold/contract';
import { exitOf } from '../../host/conversation.ts';
import type { SupervisorConnection } from '../../host/supervisor-connection.ts';
import type { DriverEvent } from '../driver.ts';

export class SandboxEvents {
  readonly #queue: DriverEvent[] = [];
  #wake: (() => void) | null = null;

  put(event: DriverEvent): void {
    this.#queue.push(event);
    this.#wake?.();
  }

  async *take(signal: AbortSignal): AsyncGenerator<DriverEvent, void, undefined> {
    const onAbort = () => this.#wake?.();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      while (!signal.aborted) {
        const event = this.#queue.shift();
        if (event !== undefined) yield event;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.#wake = null;
      signal.removeEventListener('abort', onAbort);
    }
  }

  /**
   * Follows a sandbox until it ends or the signal fires. Resolves once nothing can be missed; a sandbox that ends on
   * its own is told as gone.
   */
  follow(sandbox: SandboxId, connection: SupervisorConnection, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    void this.#run(sandbox, connection, signal, resolve).catch(reject);
    return promise;
  }

  async #run(
    sandbox: SandboxId,
    connection: SupervisorConnection,
    signal: AbortSignal,
    onReady: () => void,
  ): Promise<void> {
    let reason = "The sandbox's supervisor ended.";
    let ready = false;
    try {
      for await (const event of connection.watch(signal, () => {
        ready = true;
        onReady();
      })) {
        if (event.string(Tag.EVENT) === 'sandbox-failed') reason = event.string(Tag.MESSAGE) ?? reason;
        const told = read(sandbox, event);
        if (told === null) continue;
        this.put(told);
        // The daemon remembers it from here on; the supervisor's table would only grow.
        if (told.kind === 'exited' && told.exec !== undefined)
          connection
            .request(
              FrameType.DELETE,
              new TlvWriter().string(Tag.CONTAINER, told.container).string(Tag.EXEC, told.exec),
              signal,
            )
            .catch(() => undefined);
      }
    } catch (error) {
      if (!ready) throw error;
      if (signal.aborted) return;
      this.put({ kind: 'sandbox-gone', sandbox, reason: isTwofoldError(error, 'protocol') ? error.message : reason });
    }
  }
}

function read(sandbox: SandboxId, event: TlvReader): DriverEvent | null {
  const container = event.string(Tag.CONTAINER) as ContainerId | undefined;
  const exec = event.string(Tag.EXEC) as ExecId | undefined;
  if (container === undefined) return null;
  if (event.string(Tag.EVENT) === 'oom') return { kind: 'oom', sandbox, container };
  if (event.string(Tag.EVENT) !== 'exited') return null;
  return { kind: 'exited', sandbox, container, ...(exec === undefined ? {} : { exec }), status: exitOf(event) };
}
