// Owns what a machine outside a swarm answers to the words of one, and what one without plugins answers to theirs: in
// dockerd's own sentences, by which clients know that it is so. Joining or founding a swarm is missing.ts's.

import { TwofoldError } from '@twofold/contract';
import type { Context, Handler } from './context.ts';
import { sendJson } from './respond.ts';

function noManager(): never {
  throw new TwofoldError(
    'no-swarm',
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  );
}

function noMember(): never {
  throw new TwofoldError('no-swarm', 'This node is not part of a swarm');
}

function noPlugin({ parameters }: Context): never {
  throw new TwofoldError('plugin-not-found', `plugin "${parameters['name']!.slice(0, 200)}" not found`);
}

const ofSwarms = ['swarm', 'nodes', 'services', 'tasks', 'secrets', 'configs'];

/** After those of missing.ts: what is lacking is told first. */
export const swarmRoutes: readonly (readonly [method: string, path: string, handler: Handler])[] = [
  ['POST', '/swarm/leave', noMember],
  ...ofSwarms.flatMap((word) => [
    ['*', `/${word}`, noManager] as const,
    ['*', `/${word}/{rest:.*}`, noManager] as const,
  ]),
  ['GET', '/plugins', (context) => sendJson(context, [])],
  ['GET', '/plugins/{name:.*}/json', noPlugin],
  ['DELETE', '/plugins/{name:.*}', noPlugin],
  ...['enable', 'disable', 'push', 'set'].map((verb) => ['POST', `/plugins/{name:.*}/${verb}`, noPlugin] as const),
];
