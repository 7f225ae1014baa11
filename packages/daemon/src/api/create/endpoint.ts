// Owns how Docker's settings of an endpoint become an adapter's, for create and `network connect` alike. What of them
// can't be carried out is refused by refusals.ts.

import type { AdapterChange } from '../../engine/engine.ts';
import { refuseInEndpoint } from './refusals.ts';
import type { EndpointSettings } from './schema.ts';

export function endpointChange(settings: EndpointSettings): AdapterChange {
  refuseInEndpoint(settings);
  const address = settings.IPAMConfig?.IPv4Address;
  const { MacAddress: mac, Aliases: aliases } = settings;
  return {
    ...(address ? { address } : {}),
    ...(mac ? { mac } : {}),
    ...(aliases === undefined || aliases.length === 0 ? {} : { aliases }),
  };
}
