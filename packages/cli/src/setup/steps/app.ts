// Owns the installation of the program itself: CLI and daemon in one bundle, with the Node that runs them and the
// sources that set-up builds from. So nothing that root runs later lies where somebody else may write.

import { copyFile, link, readFile, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { runCommand } from '@twofold/daemon/host/command.ts';
import { version } from '@twofold/daemon/host/own-program.ts';
import { libraryParts, repository, setupSources } from '../../places.ts';
import { writeBundle } from '../app/bundle.ts';
import {
  appCommand,
  copyTree,
  currentApp,
  currentVersion,
  digestOf,
  installVersion,
  openToOthers,
  removeOldVersions,
  seal,
  sealTree,
} from '../app/place.ts';
import { treeOf } from '../stamps.ts';
import type { Step } from '../step.ts';

const isTest = (path: string): boolean => path.endsWith('.test.ts');
/** What set-up builds from, and its own sources, which its stamps depend on (places.ts, `repository`). */
const sources = ['native', 'packaging', 'powershell', relative(repository, setupSources)];

export const app: Step = {
  name: 'app',
  title: 'Twofold itself',
  purpose: 'CLI and daemon, where only root can write: without them the command and the daemon do not start.',
  byHand: 'sudo npm run setup, in a checkout of Twofold',
  inputs: async () => [
    process.version,
    process.execPath,
    ...(
      await Promise.all(
        ['native', 'packaging', 'powershell', 'packages'].map((name) => treeOf(join(repository, name), isTest)),
      )
    ).flat(),
    await readFile(join(repository, 'package-lock.json')),
  ],
  async check({ places }) {
    const current = await currentVersion(places.libRoot);
    if (current === null) return { there: false, detail: 'not installed' };
    const { app, programs } = libraryParts(places.libRoot);
    const open = [
      ...(await openToOthers(places.libRoot, { below: false })),
      ...(await openToOthers(app, { below: false })),
      ...(await openToOthers(join(app, current))),
      ...(await openToOthers(programs)),
    ];
    return open.length === 0
      ? { there: true, detail: current }
      : { there: false, detail: `a user other than root may write to ${open[0]}` };
  },
  async mend({ places, progress }) {
    const before = await currentVersion(places.libRoot);
    const name = await installVersion(places.libRoot, version, async (directory) => {
      progress('bundling');
      await writeBundle(directory);
      await placeNode(join(directory, 'node'), before === null ? null : join(currentApp(places.libRoot), 'node'));
      for (const tree of sources) await copyTree(join(repository, tree), join(directory, tree));
    });
    progress(name);
    const { app, compiled, programs } = libraryParts(places.libRoot);
    await sealTree(programs);
    for (const directory of [places.libRoot, app]) await seal(directory);
    if (before !== name) await rm(compiled, { recursive: true, force: true });
    // Node then finds the directory made, for root alone to write, whatever umask root has another time.
    await runCommand('start the installed program', [...appCommand(places.libRoot, 'cli'), '--version'], {
      env: { ...process.env, NODE_COMPILE_CACHE: compiled },
    });
    await removeOldVersions(places.libRoot, before);
  },
};

/** This Node; the file of the version before where that is the same. */
async function placeNode(target: string, before: string | null): Promise<void> {
  const same = before !== null && (await digestOf(before).catch(() => null))?.equals(await digestOf(process.execPath));
  await (same === true ? link(before, target) : copyFile(process.execPath, target));
  // One that needs files beside it would not run from there.
  await runCommand('start the Node that is to be installed', [target, '--version']);
}
