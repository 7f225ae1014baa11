// Owns what the daemons themselves cost in time when they know many containers: start-up, and a list of them.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandText } from '../../packages/cli/src/setup/steps/command.ts';
import { defaults } from '../../packages/daemon/src/settings.ts';
import { spread } from '../containers.ts';
import type { House } from '../house.ts';
import type { Missing, Peer } from '../peer.ts';
import { inRounds } from '../rounds.ts';
import { titles, type Row } from '../row.ts';
import { run } from '../run.ts';

const atOnce = 2;

export async function measureDaemon({ peers, twofold, missing, options, tell }: House): Promise<Row[]> {
  const { process: ours, hyperv } = twofold.byIsolation;
  const reference = peers.filter(({ name }) => name === 'dockerd + runc');
  tell(`making ${options.known} containers …`);
  await using _made = await known([ours, hyperv], options.known, options.image);
  await using _reference = await known(reference, options.known, options.image);
  const lists = await compareLists(twofold.socket, ours, options.runs, missing);
  const starts = await inRounds({
    work: titles.startUp,
    unit: 'ms',
    peers: [...reference, { ...ours, name: 'twofold' }],
    runs: options.runs,
    missing,
    measure: (peer) => peer.restart!(),
  });
  return [...starts, ...lists];
}

/** Both list the same containers of the same daemon. */
async function compareLists(socket: string, ours: Peer, runs: number, missing: Missing[]): Promise<Row[]> {
  const docker: Peer = { ...ours, name: 'docker CLI' };
  // As set-up installs it: the machine's own may be another checkout's.
  using installed = new DisposableStack();
  const directory = installed.adopt(mkdtempSync(join(tmpdir(), 'tfb-')), (path) => rmSync(path, { recursive: true }));
  const file = join(directory, 'twofold');
  writeFileSync(file, commandText(defaults.libRoot), { mode: 0o755 });
  const own: Peer = {
    ...ours,
    name: 'twofold CLI',
    command: (words) => ({ file, args: ['--host', `unix://${socket}`, ...words], env: process.env }),
  };
  return await inRounds({
    work: titles.list,
    unit: 'ms',
    peers: [docker, own],
    runs,
    missing,
    measure: async (peer) => (await run(peer, ['ps', '--all'])).milliseconds,
  });
}

/** Containers that were made and never started, in turn by each of `peers`. */
async function known(peers: readonly Peer[], count: number, image: string): Promise<AsyncDisposable> {
  const made = new Map<Peer, string[]>(peers.map((peer) => [peer, []]));
  const remove = async (): Promise<void> => {
    for (const [peer, ids] of made)
      if (ids.length > 0) await run(peer, ['rm', '--force', ...ids], { timeoutMs: 600_000 });
  };
  try {
    if (peers.length > 0)
      await spread(count, atOnce, async (index) => {
        const peer = peers[index % peers.length]!;
        made.get(peer)!.push((await run(peer, ['create', image, 'sleep', '86400'])).stdout.split('\n').at(-1)!);
      });
    return { [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
