// Owns the throughput of a container's standard output through the docker CLI.

import type { House } from '../house.ts';
import { inRounds } from '../rounds.ts';
import { titles, type Row } from '../row.ts';
import { drain } from '../run.ts';

/** Under emulation a VM's output is slow, and no faster for being long. */
const shareOfVm = 16;

export async function measureStream({ peers, twofold, missing, options }: House): Promise<Row[]> {
  return await inRounds({
    work: titles.stream,
    unit: 'MiB/s',
    peers,
    runs: options.heavyRuns,
    missing,
    async measure(peer) {
      const mebibytes = peer === twofold.byIsolation.hyperv ? Math.ceil(options.stream / shareOfVm) : options.stream;
      const { bytes, milliseconds } = await drain(peer, [
        'run',
        '--rm',
        options.image,
        'head',
        '-c',
        `${mebibytes}m`,
        '/dev/zero',
      ]);
      if (bytes !== mebibytes * 2 ** 20) throw new Error(`${peer.name} gave ${bytes} bytes of ${mebibytes} MiB.`);
      return mebibytes / (milliseconds / 1000);
    },
  });
}
