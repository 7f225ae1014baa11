// Owns the time from the first of many starts, all at once, until the last container has answered an exec.

import { Sleepers } from '../containers.ts';
import type { House } from '../house.ts';
import { inRounds } from '../rounds.ts';
import { titles, type Row } from '../row.ts';

export async function measureBurst({ peers, twofold, missing, options }: House): Promise<Row[]> {
  return await inRounds({
    work: titles.burst,
    unit: 'ms',
    peers,
    runs: options.heavyRuns,
    missing,
    async measure(peer) {
      await using containers = new Sleepers(peer, options.image);
      await twofold.forgotten();
      const began = performance.now();
      const outcomes = await Promise.allSettled(
        Array.from({ length: options.burst }, async () => containers.answer(await containers.add())),
      );
      const milliseconds = performance.now() - began;
      const failed = outcomes.find((outcome) => outcome.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      return milliseconds;
    },
  });
}
