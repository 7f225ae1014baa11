// Owns how many Hyper-V containers live at once on this machine and answer an exec.

import { Sleepers, spread } from '../containers.ts';
import type { House } from '../house.ts';
import { titles, type Row } from '../row.ts';
import { mean } from '../statistics.ts';

const atOnce = 2;

export async function measureAlive({ twofold, missing, options, tell }: House): Promise<Row[]> {
  const peer = twofold.byIsolation.hyperv;
  await using containers = new Sleepers(peer, options.image);
  const failures: Error[] = [];
  const tried = async (work: Promise<unknown>): Promise<boolean> =>
    work.then(
      () => true,
      (error: Error) => {
        failures.push(error);
        return false;
      },
    );
  await spread(options.alive, atOnce, async (index) => {
    await tried(containers.add());
    if ((index + 1) % 10 === 0) tell(`${index + 1} of ${options.alive} are started …`);
  });
  let answered = 0;
  // Asked only when all of them live.
  for (const id of containers.ids) if (await tried(containers.answer(id))) answered += 1;
  if (failures.length > 0)
    missing.push({
      what: `${failures.length} times, of ${options.alive} Hyper-V containers at once`,
      why: failures[0]!.message,
    });
  return [{ work: titles.alive, unit: 'containers', peer: peer.name, summary: mean([answered]) }];
}
