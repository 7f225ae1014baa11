// Owns reading sealed layers (private EROFS of one container, written by our own writer) with the layer tool: as a
// layer tar in the OCI form for `docker commit`, several in the private form to make one of them, and the list of what
// one changed.

import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { runCommand } from '../host/command.ts';
import { runLayerTool, runLayerVerb } from '../host/layer-tool.ts';

/**
 * `paths`: the top one first; `over`: the image's layers below them, needed where there are several. `changes`: of the
 * top one against all the others. What comes out is whole only once `done` has resolved. Disposing takes the mounts
 * away.
 */
export type SealedReader = (
  paths: readonly string[],
  over: readonly string[],
  what: 'oci' | 'private' | 'changes',
  signal: AbortSignal,
) => Promise<{ readonly output: Readable; readonly done: Promise<void> } & AsyncDisposable>;

/**
 * Mounts below <runRoot>/sealed while it reads; mounts that a daemon left there when it was killed go when the next
 * reads.
 */
export function sealedReader(runRoot: string, layerTool: string): SealedReader {
  const mounts = join(runRoot, 'sealed');
  const ours = new Set<string>();
  const unmount = async (name: string) => {
    // 32: it was not mounted
    await runCommand('unmount a sealed layer', ['umount', join(mounts, name)], { accept: [0, 32] });
    rmdirSync(join(mounts, name));
    ours.delete(name);
  };
  return async (paths, over, what, signal) => {
    await using undo = new AsyncDisposableStack();
    mkdirSync(mounts, { recursive: true, mode: 0o700 });
    for (const stale of readdirSync(mounts)) if (!ours.has(stale)) await unmount(stale);
    const mounted: string[] = [];
    for (const path of [...paths, ...over]) {
      const name = randomBytes(8).toString('hex');
      ours.add(name);
      mkdirSync(join(mounts, name), { mode: 0o700 });
      undo.defer(() => unmount(name));
      await runLayerVerb(layerTool, ['mount', path, join(mounts, name)], signal);
      mounted.push(join(mounts, name));
    }
    const below = over.length === 0 ? [] : ['--over', ...mounted.slice(paths.length)];
    const words: [string, ...string[]] =
      what === 'changes'
        ? ['changes', ...mounted]
        : ['diff', ...mounted.slice(0, paths.length), ...below, '--form', what];
    const run = undo.use(runLayerTool(layerTool, words, signal));
    run.stdin.end();
    const opened = undo.move();
    return {
      output: Readable.from(run.stdout, { objectMode: false }),
      done: run.done,
      [Symbol.asyncDispose]: () => opened.disposeAsync(),
    };
  };
}
