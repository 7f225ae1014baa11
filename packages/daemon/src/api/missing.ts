// Owns the table of words that Docker has and Twofold does not have yet. Each is answered with 501 and a sentence that
// names it; a path that neither has is "page not found". When a word arrives, its row leaves.

import { TwofoldError } from '@twofold/contract';
import type { Handler } from './context.ts';

/** method ('*' is any), path, what is missing. */
const missing: readonly (readonly [method: string, path: string, what: string])[] = [
  ['POST', '/build', 'Building images (docker build)'],
  ['POST', '/build/cancel', 'Building images (docker build)'],
  ['*', '/session', 'Building images (BuildKit sessions)'],
  ['*', '/grpc', 'Building images (BuildKit)'],
  ['GET', '/images/search', 'Searching a registry (docker search)'],
  ['POST', '/images/{name:.*}/push', 'Pushing images (docker push)'],
  ['GET', '/distribution/{name:.*}/json', 'Asking a registry about an image'],
  ['POST', '/auth', 'Logging in to a registry (docker login)'],
  ['POST', '/volumes/create', 'Volumes'],
  ['PUT', '/volumes/{name}', 'Volumes'],
  ['GET', '/containers/{name}/stats', 'Resource statistics (docker stats)'],
  ['GET', '/containers/{name}/attach/ws', 'Attaching by websocket'],
  ['*', '/containers/{name}/checkpoints', 'Checkpoints'],
  ['*', '/containers/{name}/checkpoints/{checkpoint}', 'Checkpoints'],
  ['GET', '/plugins/privileges', 'Plugins'],
  ['POST', '/plugins/pull', 'Plugins'],
  ['POST', '/plugins/create', 'Plugins'],
  ['POST', '/swarm/init', 'Swarm'],
  ['POST', '/swarm/join', 'Swarm'],
];

export const missingRoutes: readonly (readonly [method: string, path: string, handler: Handler])[] = missing.map(
  ([method, path, what]) => [
    method,
    path,
    () => {
      throw new TwofoldError('not-implemented', `Twofold does not have this yet: ${what}.`);
    },
  ],
);
