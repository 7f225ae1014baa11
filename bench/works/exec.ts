// Owns the time of `docker exec C true` in a running container.

import { Sleepers } from '../containers.ts';
import type { House } from '../house.ts';
import type { Peer } from '../peer.ts';
import { inRounds } from '../rounds.ts';
import { titles, type Row } from '../row.ts';

export async function measureExec({ peers, missing, options }: House): Promise<Row[]> {
  await using undo = new AsyncDisposableStack();
  const containers = new Map<Peer, Sleepers>();
  for (const peer of peers) {
    const one = undo.use(new Sleepers(peer, options.image));
    await peer.settled?.();
    await one.add();
    containers.set(peer, one);
  }
  return await inRounds({
    work: titles.exec,
    unit: 'ms',
    peers,
    runs: options.runs,
    missing,
    measure: (peer) => containers.get(peer)!.answer(containers.get(peer)!.ids[0]!),
  });
}
