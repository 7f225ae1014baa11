// Owns the module `Containers` in the place where every pwsh of this machine finds modules. Another module of that name
// is left alone.

import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { repository } from '../../places.ts';
import { copyTree, sealTree } from '../app/place.ts';
import { treeOf } from '../stamps.ts';
import type { Step } from '../step.ts';

export const moduleSource = join(repository, 'powershell', 'Containers');
export const installedModule = '/usr/local/share/powershell/Modules/Containers';
const manifest = 'Containers.psd1';
const author = /^\s*Author\s*=\s*'The Twofold authors'/m;

/** True for our module there, null for none. */
async function isOurs(): Promise<boolean | null> {
  return readFile(join(installedModule, manifest), 'utf8').then(
    (text) => author.test(text),
    () => null,
  );
}

/** Takes it away again. */
export async function removeModule(): Promise<void> {
  if ((await isOurs()) === true) await rm(installedModule, { recursive: true, force: true });
}

export const powershellModule: Step = {
  name: 'powershell-module',
  title: 'PowerShell module Containers',
  purpose: 'Without it, pwsh has to be given the path of powershell/Containers.',
  byHand: `copy powershell/Containers to ${installedModule}`,
  inputs: () => treeOf(moduleSource),
  async check() {
    const ours = await isOurs();
    if (ours === null) return { there: false, detail: `${installedModule} does not exist` };
    return { there: true, detail: ours ? installedModule : `${installedModule} is another module and is left alone` };
  },
  async mend() {
    if ((await isOurs()) === false) return;
    await mkdir(dirname(installedModule), { recursive: true, mode: 0o755 });
    await rm(`${installedModule}.new`, { recursive: true, force: true });
    await copyTree(moduleSource, `${installedModule}.new`);
    await sealTree(`${installedModule}.new`);
    await rm(installedModule, { recursive: true, force: true });
    await rename(`${installedModule}.new`, installedModule);
  },
};
