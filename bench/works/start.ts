// Owns the time of `docker run --rm IMAGE true`: of every engine, and of each way to come by a VM.

import type { House } from '../house.ts';
import { inRounds } from '../rounds.ts';
import { titles, type Row } from '../row.ts';
import { run } from '../run.ts';

export async function measureStart({ peers, variant, missing, options }: House): Promise<Row[]> {
  await using none = await variant('no VM waiting');
  await using clone = await variant('no VM waiting, a clone');
  await using cold = await variant('cold boot');
  return await inRounds({
    work: titles.start,
    unit: 'ms',
    peers: [...peers, none, clone, cold],
    runs: options.runs,
    missing,
    measure: async (peer) => (await run(peer, ['run', '--rm', options.image, 'true'])).milliseconds,
  });
}
