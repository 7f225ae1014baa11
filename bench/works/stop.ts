// Owns the time from the end of a Hyper-V container's init to the end of its VM, as the host sees it: an upper bound,
// since it counts from the request that kills init to the moment when the worker process is no more.

import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Sleepers } from '../containers.ts';
import type { House } from '../house.ts';
import { inRounds } from '../rounds.ts';
import { titles, type Row } from '../row.ts';

const goneTimeoutMs = 30_000;

export async function measureStop({ twofold, missing, options }: House): Promise<Row[]> {
  return await inRounds({
    work: titles.stop,
    unit: 'ms',
    peers: [twofold.byIsolation.hyperv],
    runs: options.runs,
    missing,
    async measure(peer) {
      await using containers = new Sleepers(peer, options.image);
      const id = await containers.add();
      await peer.settled?.();
      const worker = (await twofold.client.compute()).find(
        ({ Id }) => Id.replaceAll('-', '').toLowerCase() === id.slice(0, 32),
      )!.Pid;
      const began = performance.now();
      const killed = twofold.client.containers.kill(id);
      while (existsSync(`/proc/${worker}`)) {
        if (performance.now() - began > goneTimeoutMs)
          throw new Error(`The VM is not gone after ${goneTimeoutMs / 1000} s.`);
        await sleep(1);
      }
      const milliseconds = performance.now() - began;
      await killed;
      return milliseconds;
    },
  });
}
