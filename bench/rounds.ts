// Owns repeating a measurement fairly: peers take turns, so that what else happens on the machine meets all of them;
// and each turn begins when every engine has come to rest, so that nobody pays for another's clearing away.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Missing, Peer } from './peer.ts';
import type { Row, Title } from './row.ts';
import { median } from './statistics.ts';

/** Engines clear away behind their answers. */
const restMs = 250;

export interface Repeated {
  readonly work: Title;
  readonly unit: Row['unit'];
  readonly peers: readonly Peer[];
  readonly runs: number;
  readonly missing: Missing[];
  measure(peer: Peer): Promise<number>;
}

/**
 * A row for each peer, of `runs` measurements after one that warms up. A peer that fails takes no further part, and the
 * report says so.
 */
export async function inRounds({ work, unit, peers, runs, missing, measure }: Repeated): Promise<Row[]> {
  const values = new Map<Peer, number[]>(peers.map((peer) => [peer, []]));
  for (let round = 0; round <= runs; round++) {
    for (const [peer, series] of values) {
      try {
        await atRest(peers);
        const value = await measure(peer);
        if (round > 0) series.push(value);
      } catch (error) {
        values.delete(peer);
        missing.push({ what: `${peer.name}: ${work}`, why: (error as Error).message });
      }
    }
  }
  return [...values].map(([peer, series]) => ({ work, unit, peer: peer.name, summary: median(series) }));
}

/** Resolves when none of the engines does anything by itself. */
export async function atRest(peers: readonly Peer[]): Promise<void> {
  await sleep(restMs);
  for (const peer of peers) await peer.settled?.();
}
