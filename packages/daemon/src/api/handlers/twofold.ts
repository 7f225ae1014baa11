// Owns the paths that only Twofold has (docs/api-extensions.md).

import { changeLimitMs, type Context } from '../context.ts';
import { sendEmpty, sendJson } from '../respond.ts';

/** The worker processes of hyperv containers, read from the running system. */
export async function compute(context: Context): Promise<void> {
  sendJson(context, await context.engine.compute());
}

/** Ends one hard. */
export async function stopCompute(context: Context): Promise<void> {
  await context.engine.stopCompute(context.parameters['id']!, context.lasting(changeLimitMs));
  sendEmpty(context);
}

/** Makes a running container ready for sessions, and says by which exec one is opened. */
export async function preparePowerShell(context: Context): Promise<void> {
  const { server, command, environment } = await context.engine.containers.preparePowerShell(
    context.parameters['name']!,
    context.signal,
  );
  sendJson(context, { Server: server, Cmd: command, Env: environment });
}

/** The networks in PowerShell's words. */
export function switches(context: Context): void {
  const { networks, containers } = context.engine;
  const names = new Map(containers.list().map((record) => [record.id, record.name]));
  sendJson(
    context,
    networks
      .list()
      .filter((network) => network.driver === 'bridge')
      .map((network) => ({
        Id: network.id,
        Name: network.name,
        SwitchType: network.internal ? 'Internal' : 'NAT',
        Bridge: network.bridge,
        Subnet: network.subnet,
        Gateway: network.gateway,
        BuiltIn: network.builtIn,
        Endpoints: networks
          .endpoints(network.id)
          .map((endpoint) => ({
            AdapterId: endpoint.adapter,
            ContainerId: endpoint.container,
            ContainerName: names.get(endpoint.container) ?? '',
            MacAddress: endpoint.mac,
            Addresses: endpoint.addresses,
          })),
      })),
  );
}
