// Owns POST /containers/create.

import { TwofoldError } from '@twofold/contract';
import { readJson } from '../body.ts';
import { changeLimitMs, type Context } from '../context.ts';
import { createCommand } from '../create/command.ts';
import { createRequest } from '../create/schema.ts';
import { sendJson } from '../respond.ts';
import { goArchitecture } from '../architecture.ts';

export async function createContainer(context: Context): Promise<void> {
  const body = await readJson(context, createRequest);
  checkPlatform(context.query.text('platform'), body.Image ?? '');
  const { command, warnings } = createCommand(context.query.text('name'), body, context.minor);
  const made = await context.engine.containers.create(command, context.lasting(changeLimitMs));
  sendJson(context, { Id: made.id, Warnings: [...warnings, ...made.warnings] }, 201);
}

function checkPlatform(platform: string | undefined, image: string): void {
  if (platform === undefined) return;
  const [os, architecture] = platform.includes('/')
    ? platform.split('/')
    : ['linux', 'windows', 'darwin'].includes(platform)
      ? [platform, undefined]
      : ['linux', platform];
  if (os !== 'linux' || (architecture !== undefined && architecture !== goArchitecture())) {
    const wanted = platform.includes('/') ? platform : `${os}/${architecture ?? goArchitecture()}`;
    throw new TwofoldError(
      'image-not-found',
      `image with reference ${image.slice(0, 100)} was found but does not match the specified platform: wanted ${wanted.slice(0, 60)}, actual: linux/${goArchitecture()}`,
    );
  }
}
