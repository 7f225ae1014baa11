// Owns the program twofold-links: changes to the host's links and to the set of endpoints that may send, in a fraction
// of what starting `ip` and `nft` for each container takes. It is started when first needed and ends with the daemon.
// Knows no switch.

import { spawn, type ChildProcess } from 'node:child_process';
import type { Writable } from 'node:stream';
import { encodeFrame, FrameReader, FrameType, Tag, TlvReader, TlvWriter, TwofoldError } from '@twofold/contract';
import { errorOf } from './conversation.ts';

/** So long a program that is not installed is not looked for again. */
const missingMs = 60_000;
/** Longer than the kernel takes for a link on any machine; then the program is given up. */
const answerTimeoutMs = 20_000;

export interface AdmittedLink {
  readonly hostName: string;
  readonly mac: string;
  /** Without prefix lengths. */
  readonly addresses: readonly string[];
}

interface Asked {
  readonly resolve: () => void;
  readonly reject: (error: TwofoldError) => void;
}

export class LinkTool implements Disposable {
  readonly #program: string;
  #child: ChildProcess | null = null;
  #asked = new Map<number, Asked>();
  #serial = 0;
  /** When it was last found not to be installed. */
  #missingSinceMs = -Infinity;

  constructor(program: string) {
    this.#program = program;
  }

  /** False when it has just turned out that the program is not installed. */
  get isThere(): boolean {
    return performance.now() - this.#missingSinceMs >= missingMs;
  }

  /**
   * Makes a veth pair, its outer end on the bridge, its inner one in the namespace of `netnsPid`. `stale`: one of that
   * name is removed before.
   */
  addVeth(
    link: { hostName: string; name: string; mac: string; mtu: number },
    bridge: string,
    netnsPid: number,
    stale: boolean,
  ): Promise<void> {
    const list = request('veth')
      .string(Tag.HOST_NAME, link.hostName)
      .string(Tag.NAME, link.name)
      .string(Tag.MAC, link.mac)
      .number(Tag.MTU, link.mtu);
    return this.#ask(list.string(Tag.TARGET, bridge).number(Tag.PID, netnsPid).flag(Tag.FLAGS, stale));
  }

  /** Puts a link that is there on the bridge. */
  addPort(link: { hostName: string; mac: string; mtu: number }, bridge: string): Promise<void> {
    const list = request('port').string(Tag.HOST_NAME, link.hostName).string(Tag.MAC, link.mac);
    return this.#ask(list.number(Tag.MTU, link.mtu).string(Tag.TARGET, bridge));
  }

  /** Removes a link, if it is there. */
  delete(hostName: string): Promise<void> {
    return this.#ask(request('delete').string(Tag.HOST_NAME, hostName));
  }

  /** Adds to or takes out of a set `ifname . ether_addr . ipv4_addr` of a table of the family bridge. Idempotent. */
  change(verb: 'admit' | 'expel', table: string, set: string, links: readonly AdmittedLink[]): Promise<void> {
    const list = request(verb).string(Tag.SOURCE, table).string(Tag.NAME, set);
    for (const link of links)
      list.list(Tag.INTERFACE, (one) =>
        one.string(Tag.HOST_NAME, link.hostName).string(Tag.MAC, link.mac).strings(Tag.ADDRESS, link.addresses),
      );
    return this.#ask(list);
  }

  [Symbol.dispose](): void {
    this.#child?.kill('SIGKILL');
  }

  #ask(list: TlvWriter): Promise<void> {
    const child = this.#running();
    const serial = (this.#serial = (this.#serial + 1) % 0xffff_ffff);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // One that hangs is ended; its end answers everybody.
    const late = setTimeout(() => child.kill('SIGKILL'), answerTimeoutMs).unref();
    this.#asked.set(serial, { resolve, reject });
    // An answer is awaited, so the daemon must not end before it.
    child.ref();
    (child.stdin as Writable).write(encodeFrame(FrameType.NETWORK, serial, list.finish()));
    return promise.finally(() => {
      clearTimeout(late);
      if (this.#asked.size === 0) child.unref();
    });
  }

  #running(): ChildProcess {
    if (this.#child !== null) return this.#child;
    const child = spawn(this.#program, [], { cwd: '/', env: {}, detached: true, stdio: ['pipe', 'pipe', 'ignore'] });
    const frames = new FrameReader();
    const asked = new Map<number, Asked>();
    this.#asked = asked;
    this.#child = child;
    const ended = (cause?: Error) => {
      if (this.#child === child) this.#child = null;
      for (const { reject } of asked.values())
        reject(new TwofoldError('internal', 'The program that makes links ended before it answered.', { cause }));
      asked.clear();
    };
    child.on('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') this.#missingSinceMs = performance.now();
      ended(cause);
    });
    child.on('exit', () => ended());
    child.stdin!.on('error', () => undefined); // told by its end
    child.stdout!.on('data', (chunk: Buffer) => {
      for (const { type, channel, payload } of frames.push(chunk)) {
        const waiter = asked.get(channel);
        asked.delete(channel);
        if (type === FrameType.REPLY) waiter?.resolve();
        else waiter?.reject(errorOf(new TlvReader(payload)));
      }
    });
    // Neither its pipes nor its life keep the daemon.
    child.unref();
    (child.stdin as unknown as { unref(): void }).unref();
    (child.stdout as unknown as { unref(): void }).unref();
    return child;
  }
}

function request(verb: string): TlvWriter {
  return new TlvWriter().string(Tag.TYPE, verb);
}
