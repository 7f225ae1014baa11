// Owns the engines of one run: made once, seen by every work. Measures nothing.

import { join } from 'node:path';
import { worksAlone, type Options } from './options.ts';
import type { Missing, Peer } from './peer.ts';
import { startDockerd } from './peers/dockerd.ts';
import { startPodman } from './peers/podman.ts';
import { startTwofold, type TwofoldDaemon } from './peers/twofold.ts';
import { run } from './run.ts';
import { variants, type Variant } from './settings.ts';

export interface House {
  readonly options: Options;
  readonly twofold: TwofoldDaemon;
  /** dockerd and podman where they can be had and a work needs them, and Twofold through each isolation. */
  readonly peers: readonly Peer[];
  readonly missing: Missing[];
  /**
   * A daemon whose settings differ in one thing, with the image; Hyper-V containers. It ends with the others, unless
   * the caller ends it before.
   */
  variant(name: Variant): Promise<Peer & AsyncDisposable>;
  tell(line: string): void;
}

/** Starts all engines below `directory`, each with the image; `undo` ends them. */
export async function openHouse(
  directory: string,
  options: Options,
  undo: AsyncDisposableStack,
  tell: (line: string) => void,
): Promise<House> {
  const archive = join(directory, 'image.tar');
  const missing: Missing[] = [];
  tell('starting twofoldd …');
  const twofold = await startTwofold(join(directory, 't'), undo);
  await run(twofold.byIsolation.process, ['save', '--output', archive, options.image]);
  const peers: Peer[] = [];
  const others = [...options.works].every((work) => worksAlone.has(work))
    ? []
    : ([
        ['dockerd + runc', startDockerd],
        ['podman + crun', startPodman],
      ] as const);
  for (const [name, start] of others) {
    tell(`starting ${name} …`);
    try {
      const peer = await start(join(directory, name.split(' ')[0]!), undo);
      await run(peer, ['load', '--input', archive]);
      await run(peer, ['run', '--rm', options.image, 'true']);
      peers.push(peer);
    } catch (error) {
      missing.push({ what: name, why: (error as Error).message });
    }
  }
  await twofold.byIsolation.hyperv.settled?.(); // the template, made once for a library, and the first VM
  return {
    options,
    twofold,
    missing,
    tell,
    peers: [...peers, twofold.byIsolation.process, twofold.byIsolation.hyperv],
    async variant(name) {
      tell(`starting twofoldd, ${name} …`);
      const daemon = await startTwofold(join(directory, `v${Object.keys(variants).indexOf(name)}`), undo, name);
      return { ...daemon.byIsolation.hyperv, [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose]() };
    },
  };
}
