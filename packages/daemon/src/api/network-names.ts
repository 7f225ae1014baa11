// Owns the two names of the default switch: Docker's clients know it as `bridge` and ask for it by that, everybody else
// knows `NAT`. Whatever name is given finds it (networks/open.ts).

import { defaultSwitch } from '../networks/networks.ts';

/** A network's name in Docker's view. No other network can have the name `bridge`. */
export function dockerName(name: string): string {
  return name.toLowerCase() === defaultSwitch.toLowerCase() ? 'bridge' : name;
}

/** `HostConfig.NetworkMode`: as it was asked for, in Docker's words. */
export function networkMode(mode: string | undefined): string {
  return dockerName(mode || 'default');
}
