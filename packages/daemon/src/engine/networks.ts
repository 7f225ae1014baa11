// Owns the front door's commands on networks: those of the networks' room, once what containers that have just ended
// left on a network is off it.

import { cleared } from './containers/clean-up.ts';
import type { Engine } from './engine.ts';
import type { Room } from './room.ts';

export function createNetworks(room: Room): Engine['networks'] {
  const { networks } = room;
  return {
    list: () => networks.list(),
    find: (reference) => networks.find(reference),
    create: (spec) => networks.create(spec),
    endpoints: (network) => networks.endpoints(network),
    remove: async (reference) => {
      const { id } = networks.find(reference);
      for (const { container } of networks.endpoints(id)) await cleared(room, container, room.closing);
      await networks.remove(reference);
    },
  };
}
