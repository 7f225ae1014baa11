// Owns the built-in base images as steps of set-up. Their recipes are base-images/'s.

import { stat } from 'node:fs/promises';
import { baseArchive, baseImageInputs, buildBaseImage, type BaseImageName } from '../base-images/build.ts';
import type { Step } from '../step.ts';

function baseImage(name: BaseImageName, byHand: string): Step {
  return {
    name: `base-image-${name}`,
    title: `Base image ${name}`,
    purpose: `Without it there is no image ${name}; images that you load work all the same.`,
    byHand,
    inputs: ({ places }) => baseImageInputs(places.libRoot, name),
    async check({ places }) {
      const found = await stat(baseArchive(places.libRoot, name)).catch(() => null);
      return found === null
        ? { there: false, detail: 'not built' }
        : { there: true, detail: `${(found.size / 1e6).toFixed(1)} MB` };
    },
    mend: ({ places, progress, signal }) => buildBaseImage(places.libRoot, name, progress, signal),
  };
}

export const nanoserver = baseImage('nanoserver', 'apt-get install busybox-static, then run set-up again');
export const windowsServerCore = baseImage(
  'windowsservercore',
  'apt-get update && apt-get install mmdebstrap, then run set-up again',
);
