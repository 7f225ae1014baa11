// Owns putting endpoints on their switches and taking them off: link and admission. By the link program, and where that
// is not installed by `ip` and `nft`, which are slower. Knows no row.

import { TwofoldError } from '@twofold/contract';
import { linkFact } from '../host/ip.ts';
import { LinkTool } from '../host/links.ts';
import { connectPort, connectVeth, isConnected, removeLink, type RuleQueue, type Warn } from './apply.ts';
import type { Endpoint } from './networks.ts';
import { admitScript, endpointSet, expelScript, tableName } from './plan.ts';

export class Plugs implements AsyncDisposable {
  readonly #prefix: string;
  readonly #rules: RuleQueue;
  readonly #tool: LinkTool | null;
  readonly #warn: Warn;
  /** By the link's name: what is going away and has not gone yet. */
  readonly #leaving = new Map<string, Promise<void>>();

  /** Without a program `ip` and `nft` do it. */
  constructor(prefix: string, rules: RuleQueue, program: string | null, warn: Warn) {
    this.#warn = warn;
    this.#prefix = prefix;
    this.#rules = rules;
    this.#tool = program === null ? null : new LinkTool(program);
  }

  async connect(
    endpoint: Endpoint,
    bridge: string,
    kind: 'veth' | 'tap',
    netnsPid: number | null,
    signal: AbortSignal,
  ): Promise<void> {
    if (kind === 'veth' && netnsPid === null)
      throw new TwofoldError('internal', 'A veth needs a process whose network namespace takes its inner end.');
    await this.#leaving.get(endpoint.hostName);
    signal.throwIfAborted();
    const link = this.#try(
      (tool) => (kind === 'veth' ? addVeth(tool, endpoint, bridge, netnsPid!, signal) : tool.addPort(endpoint, bridge)),
      () =>
        kind === 'veth' ? connectVeth(endpoint, bridge, netnsPid!, signal) : connectPort(endpoint, bridge, signal),
    );
    await Promise.all([link, this.#change('admit', endpoint)]);
  }

  /**
   * Puts a link that is there on its switch again: what a daemon before this one had made, or what the loss of a bridge
   * has left.
   */
  reconnect(endpoint: Endpoint, bridge: string): Promise<void> {
    return this.#try(
      (tool) => tool.addPort(endpoint, bridge),
      () => connectPort(endpoint, bridge),
    );
  }

  /**
   * Begins it, and is not waited for: the kernel takes its time over a link, which goes with its namespace or its
   * worker anyway, and an element without its link admits nobody. `ruled`: there is a set to take it out of.
   * Idempotent.
   */
  disconnect(endpoint: Endpoint, ruled: boolean): void {
    const gone = Promise.all([
      this.#try(
        (tool) => tool.delete(endpoint.hostName),
        () => removeLink(endpoint.hostName),
      ),
      ruled ? this.#change('expel', endpoint) : undefined,
    ]).then(
      () => undefined,
      (error: unknown) =>
        this.#warn('An endpoint could not be removed from its switch completely', {
          link: endpoint.hostName,
          cause: String(error),
        }),
    );
    const entry = gone.then(() => {
      if (this.#leaving.get(endpoint.hostName) === entry) this.#leaving.delete(endpoint.hostName);
    });
    this.#leaving.set(endpoint.hostName, entry);
  }

  /** Resolves once everything that was to go has gone. */
  async settled(): Promise<void> {
    await Promise.all(this.#leaving.values());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.settled();
    this.#tool?.[Symbol.dispose]();
  }

  #change(verb: 'admit' | 'expel', endpoint: Endpoint): Promise<void> {
    const script = verb === 'admit' ? admitScript : expelScript;
    return this.#try(
      // In turn with the rule sets as a whole: each of them is written with all that was reserved before it.
      (tool) =>
        this.#rules.inTurn(() =>
          tool.change(verb, tableName(this.#prefix), endpointSet, [
            { ...endpoint, addresses: endpoint.addresses.map((address) => address.split('/', 1)[0]!) },
          ]),
        ),
      () => this.#rules.change(script(this.#prefix, [endpoint])),
    );
  }

  async #try(quick: (tool: LinkTool) => Promise<void>, otherwise: () => Promise<void>): Promise<void> {
    if (this.#tool === null || !this.#tool.isThere) return otherwise();
    try {
      await quick(this.#tool);
    } catch (error) {
      if (this.#tool.isThere) throw error;
      await otherwise();
    }
  }
}

async function addVeth(
  tool: LinkTool,
  endpoint: Endpoint,
  bridge: string,
  netnsPid: number,
  signal: AbortSignal,
): Promise<void> {
  const stale = (await linkFact(endpoint.hostName, 'ifindex')) !== null;
  // A second connect leaves the traffic of the first alone.
  if (stale && (await isConnected(endpoint, netnsPid, signal))) return tool.addPort(endpoint, bridge);
  await tool.addVeth(endpoint, bridge, netnsPid, stale);
}
