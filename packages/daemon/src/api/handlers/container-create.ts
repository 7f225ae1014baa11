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
  checkPlatform(context.query.text('platform'));
  const { command, warnings } = createCommand(context.query.text('name'), body, context.minor);
  const made = await context.engine.containers.create(command, context.lasting(changeLimitMs));
  sendJson(context, { Id: made.id, Warnings: [...warnings, ...made.warnings] }, 201);
}

function checkPlatform(platform: string | undefined): void {
  if (platform === undefined) return;
  const [os, architecture] = platform.includes('/')
    ? platform.split('/')
    : ['linux', platform === 'linux' ? undefined : platform];
  if (os !== 'linux' || (architecture !== undefined && architecture !== goArchitecture())) {
    throw new TwofoldError(
      'unsupported',
      `This machine runs linux/${goArchitecture()} only, not ${platform.slice(0, 60)}.`,
    );
  }
}
