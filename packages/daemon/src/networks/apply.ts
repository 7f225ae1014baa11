// Owns carrying out a plan on the host: links by host/ip.ts, rules by host/nft.ts. Idempotent; decides nothing and
// knows no row.

import { closeIptablesForward, openIptablesForward, runNft } from '../host/nft.ts';
import { enableForwarding, linkFact, linkNames, queryIp, runBridge, runIp } from '../host/ip.ts';
import { bridgeLines, deleteLines, isOurLink, portLines, stationLines, vethLines } from './plan.ts';
import type { Endpoint, Network } from './networks.ts';

export type Warn = (sentence: string, facts: Record<string, unknown>) => void;

/** Makes the bridge with its address, and lets the host pass packets on. */
export async function makeSwitch(network: Network, mtu: number, linkPrefix: string, warn: Warn): Promise<void> {
  const address = await linkFact(network.bridge, 'address');
  await runIp(`make the switch ${network.name}`, bridgeLines(network, mtu, address));
  if (network.internal) return;
  if (await enableForwarding())
    warn('IPv4 forwarding was off on this host and has been switched on for the switches', {
      file: '/proc/sys/net/ipv4/ip_forward',
    });
  for (const program of await openIptablesForward(`${linkPrefix}+`))
    warn('The FORWARD chain drops by policy; the switches were let through', { program });
}

/** Removes the bridge if it is there. */
export async function removeSwitch(network: Network): Promise<void> {
  if ((await linkFact(network.bridge, 'ifindex')) !== null)
    await runIp(`remove the switch ${network.name}`, [`link delete dev ${network.bridge}`]);
}

/** True when the endpoint's veth is already in that namespace: a second connect leaves its traffic alone. */
export async function isConnected(endpoint: Endpoint, netnsPid: number, signal: AbortSignal): Promise<boolean> {
  const peer = await linkFact(endpoint.hostName, 'iflink');
  const [inner] = await queryIp('look at the endpoint', ['link', 'show', 'dev', endpoint.name], netnsPid, signal).catch(
    () => [],
  );
  return inner !== undefined && String(inner['ifindex']) === peer && inner['address'] === endpoint.mac;
}

/** Makes the veth pair of an endpoint, its inner end in the namespace of `netnsPid`. */
export async function connectVeth(
  endpoint: Endpoint,
  bridge: string,
  netnsPid: number,
  signal: AbortSignal,
): Promise<void> {
  const stale = (await linkFact(endpoint.hostName, 'ifindex')) !== null;
  if (stale && (await isConnected(endpoint, netnsPid, signal))) return connectPort(endpoint, bridge, signal);
  await runIp('connect the container to its switch', vethLines(endpoint, bridge, netnsPid, stale), signal);
  await runBridge('tell the switch where the container is', stationLines(endpoint), signal);
}

/** Puts a link that is there on the switch. */
export async function connectPort(endpoint: Endpoint, bridge: string, signal?: AbortSignal): Promise<void> {
  await runIp('connect the container to its switch', portLines(endpoint, bridge), signal);
  await runBridge('tell the switch where the container is', stationLines(endpoint), signal);
}

/** Removes the host's end of an endpoint if it is there; it may go by itself at the same time. */
export async function removeLink(hostName: string): Promise<void> {
  if ((await linkFact(hostName, 'ifindex')) === null) return;
  try {
    await runIp('disconnect the container from its switch', [`link delete dev ${hostName}`]);
  } catch (error) {
    if ((await linkFact(hostName, 'ifindex')) !== null) throw error;
  }
}

/** Removes every link that `owns` tells, whatever made it: works without rows. */
export async function removeLinks(owns: (name: string) => boolean): Promise<void> {
  for (const link of (await linkNames()).filter(owns)) await removeLink(link);
}

/** Removes every link and rule of a prefix. */
export async function removeEverything(linkPrefix: string): Promise<void> {
  await removeLinks((name) => isOurLink(linkPrefix, name));
  await removeRules(linkPrefix);
}

/** Removes every rule of a prefix. */
export async function removeRules(linkPrefix: string): Promise<void> {
  await runNft('remove the rules of the switches', `${deleteLines(linkPrefix).join('\n')}\n`);
  await closeIptablesForward(`${linkPrefix}+`);
}

/** Addresses and routes that the host has: subnets must not overlap them. */
export async function hostSubnets(): Promise<string[]> {
  const routes = await queryIp('read the routes', ['-4', 'route', 'show', 'table', 'main']);
  return routes
    .map((route) => String(route['dst']))
    .filter((dst) => dst !== 'default')
    .map((dst) => (dst.includes('/') ? dst : `${dst}/32`));
}

/** MTU of the link that the default route takes, at most 1500: larger frames than the way out takes would be lost. */
export async function uplinkMtu(): Promise<number> {
  const [route] = await queryIp('read the default route', ['-4', 'route', 'show', 'default']);
  const mtu = route === undefined ? null : await linkFact(String(route['dev']), 'mtu');
  return Math.min(1500, mtu === null ? 1500 : Math.max(576, Number(mtu)));
}

/** Runs nft scripts one after the other; additions that wait meanwhile go in as one. */
export class RuleQueue {
  #tail: Promise<void> = Promise.resolve();
  #waiting: { scripts: string[]; done: Promise<void> } | null = null;

  /** A whole rule set: made when its turn comes, so that it holds all that was decided before. */
  replace(makeScript: () => string): Promise<void> {
    this.#waiting = null;
    return this.#enqueue(() => runNft('write the rules of the switches', makeScript()));
  }

  /** Element changes: joined with those already waiting. */
  change(script: string): Promise<void> {
    if (this.#waiting !== null) {
      this.#waiting.scripts.push(script);
      return this.#waiting.done;
    }
    const scripts = [script];
    const done = this.#enqueue(() => {
      this.#waiting = null;
      return runNft('admit endpoints to their switches', scripts.join(''));
    });
    this.#waiting = { scripts, done };
    return done;
  }

  /** Another way of changing elements, between the scripts. */
  inTurn(work: () => Promise<void>): Promise<void> {
    return this.#enqueue(work);
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => undefined);
    return done;
  }
}
