// Owns the network verbs. A network is what PowerShell calls a virtual switch.

import { TwofoldError } from '@twofold/contract';
import * as v from 'valibot';
import type { Engine } from '../../engine/engine.ts';
import { defaultSwitch, type Network } from '../../networks/networks.ts';
import { readJson } from '../body.ts';
import type { Context } from '../context.ts';
import { endpointChange } from '../create/endpoint.ts';
import { isUnset } from '../create/refusals.ts';
import { endpoint } from '../create/schema.ts';
import { endpointId, endpointsOf, isUp } from '../endpoints.ts';
import { dockerName } from '../network-names.ts';
import { nameExpression, passes, passesLabels } from '../query.ts';
import { sendEmpty, sendJson } from '../respond.ts';
import { pruneTime } from './container-life.ts';

const unread = v.optional(v.unknown());

const createBody = v.pipe(
  v.looseObject({
    Name: v.pipe(
      v.string(),
      v.regex(
        /^[a-zA-Z0-9][a-zA-Z0-9 _.-]{0,127}$/,
        'a network name begins with a letter or digit and contains only letters, digits, spaces and _.-',
      ),
    ),
    Driver: v.optional(v.string(), 'bridge'),
    Scope: v.optional(v.string(), ''),
    Internal: v.optional(v.boolean(), false),
    Labels: v.optional(v.record(v.string(), v.string()), {}),
    Options: v.optional(v.record(v.string(), v.string()), {}),
    EnableIPv6: unread,
    Ingress: unread,
    ConfigOnly: unread,
    ConfigFrom: unread,
    IPAM: v.optional(
      v.pipe(
        v.looseObject({
          Driver: v.optional(v.string(), ''),
          Options: unread,
          Config: v.optional(
            v.array(
              v.pipe(
                v.looseObject({
                  Subnet: v.optional(v.string()),
                  Gateway: v.optional(v.string()),
                  IPRange: v.optional(v.string()),
                  AuxiliaryAddresses: unread,
                  AuxAddress: unread,
                }),
                v.title('network.IPAMConfig'),
              ),
            ),
            [],
          ),
        }),
        v.title('network.IPAM'),
      ),
      {},
    ),
  }),
  v.title('network.CreateRequest'),
);

export function listNetworks(context: Context): void {
  const filters = context.query.filters(['name', 'id', 'driver', 'type', 'label', 'label!', 'scope', 'dangling']);
  const names = filters.get('name')?.map(nameExpression);
  const networks = context.engine.networks
    .list()
    .filter(
      (network) =>
        (names === undefined || names.some((name) => name.test(network.name) || name.test(dockerName(network.name)))) &&
        passes(filters, 'id', (value) => network.id.includes(value)) &&
        passes(filters, 'driver', (value) => network.driver === value) &&
        passes(filters, 'type', (value) => (value === 'builtin') === network.builtIn) &&
        passes(filters, 'scope', (value) => value === 'local') &&
        passes(
          filters,
          'dangling',
          (value) =>
            (value === 'true' || value === '1') ===
            (!network.builtIn && context.engine.networks.endpoints(network.id).length === 0),
        ) &&
        passesLabels(filters, network.labels),
    );
  sendJson(
    context,
    networks.map((network) => networkView(context.engine, network, false)),
  );
}

export function inspectNetwork(context: Context): void {
  sendJson(context, networkView(context.engine, context.engine.networks.find(context.parameters['name']!), true));
}

function networkView(engine: Engine, network: Network, whole: boolean): Record<string, unknown> {
  return {
    Name: dockerName(network.name),
    Id: network.id,
    Created: network.created,
    Scope: 'local',
    Driver: network.driver === 'none' ? 'null' : network.driver,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: {
      Driver: 'default',
      Options: null,
      Config:
        network.subnet === ''
          ? []
          : [
              {
                Subnet: network.subnet,
                ...(network.ipRange === '' ? {} : { IPRange: network.ipRange }),
                Gateway: network.gateway,
              },
            ],
    },
    Internal: network.internal,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: whole ? members(engine, network) : {},
    Options: network.name === defaultSwitch ? { ...defaultBridge(network), ...network.options } : network.options,
    Labels: network.labels,
  };
}

/** What dockerd tells of its default network alone: on others a client would take it for what was asked for. */
const defaultBridge = ({ bridge }: Network): Record<string, string> => ({
  'com.docker.network.bridge.default_bridge': 'true',
  'com.docker.network.bridge.name': bridge,
});

/** Docker shows the running ones. */
function members(engine: Engine, network: Network): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const record of engine.containers.list().filter(isUp)) {
    const endpoint = endpointsOf(record).get(dockerName(network.name));
    const lease = endpoint?.lease;
    if (endpoint?.network?.id !== network.id || !lease) continue;
    found[record.id] = {
      Name: record.name,
      EndpointID: endpointId(endpoint.id),
      MacAddress: lease.mac,
      IPv4Address: `${lease.address}/${lease.prefixLength}`,
      IPv6Address: '',
    };
  }
  return found;
}

/** A switch is one thing here; Docker on Windows has several names for what it does. */
const drivers: Readonly<Record<string, { readonly internal: boolean }>> = {
  '': { internal: false },
  bridge: { internal: false },
  nat: { internal: false },
  internal: { internal: true },
};

/** Drivers that Docker has and Twofold has not. */
const lackingDrivers = ['overlay', 'macvlan', 'ipvlan', 'transparent', 'l2bridge', 'l2tunnel', 'ics', 'private'];

/** Networks that are there from the start, and of which there is one each. */
const predefined = ['bridge', 'host', 'none', 'default'];

/** Throws as dockerd does for a name or a driver that nobody can have; a driver that is only lacking says so. */
function checkKind(name: string, driver: string): void {
  if (predefined.includes(name.toLowerCase()))
    throw new TwofoldError('forbidden', `operation is not permitted on predefined ${name} network`);
  if (Object.hasOwn(drivers, driver)) return;
  if (['host', 'null'].includes(driver))
    throw new TwofoldError('forbidden', `only one instance of "${driver}" network is allowed`);
  if (lackingDrivers.includes(driver)) throw lacking(`the network driver "${driver}"`);
  throw new TwofoldError('plugin-not-found', `plugin "${driver.slice(0, 60)}" not found`);
}

/** Key of the body, and what Twofold lacks when it is set. */
const lackingWords = [
  ['EnableIPv6', 'IPv6'],
  ['Ingress', 'ingress networks'],
  ['ConfigOnly', 'configuration-only networks (--config-only)'],
] as const;

export async function createNetwork(context: Context): Promise<void> {
  const body = await readJson(context, createBody);
  checkKind(body.Name, body.Driver.toLowerCase());
  const driver = drivers[body.Driver.toLowerCase()]!;
  const addressDriver = body.IPAM.Driver ?? '';
  if (['null', 'dhcp', 'windows'].includes(addressDriver)) throw lacking(`the address driver "${addressDriver}"`);
  if (!['', 'default'].includes(addressDriver))
    throw new TwofoldError('plugin-not-found', `plugin "${addressDriver.slice(0, 60)}" not found`);
  for (const [key, what] of lackingWords) if (!isUnset(body[key])) throw lacking(what);
  if (!isUnset((body['ConfigFrom'] as { Network?: string } | undefined)?.Network))
    throw lacking('networks made from a configuration (--config-from)');
  if (!['', 'local'].includes(body.Scope)) throw lacking(`the scope "${body.Scope.slice(0, 60)}" of a network`);
  if (!isUnset(body.IPAM['Options'])) throw lacking('options of the address driver');
  const [config = {}, ...more] = body.IPAM.Config ?? [];
  if (more.length > 0) throw lacking('more than one subnet for a network');
  for (const key of ['AuxiliaryAddresses', 'AuxAddress'])
    if (!isUnset(config[key])) throw lacking('auxiliary addresses (--aux-address)');
  const { Subnet: subnet, Gateway: gateway, IPRange: ipRange } = config;
  if (!subnet && (gateway || ipRange))
    throw new TwofoldError(
      'invalid-argument',
      'A gateway or an address range needs the subnet that contains it (--subnet).',
    );
  const network = await context.engine.networks.create({
    name: body.Name,
    internal: body.Internal || driver.internal,
    labels: body.Labels,
    options: body.Options,
    ...(subnet ? { subnet } : {}),
    ...(gateway ? { gateway } : {}),
    ...(ipRange ? { ipRange } : {}),
  });
  sendJson(context, { Id: network.id, Warning: '' }, 201);
}

function lacking(what: string): TwofoldError {
  return new TwofoldError('not-implemented', `Twofold does not have this yet: ${what}.`);
}

export async function connectNetwork(context: Context): Promise<void> {
  const body = await readJson(
    context,
    v.object({ Container: v.optional(v.string(), ''), EndpointConfig: v.optional(endpoint, {}) }),
  );
  checkContainer(body.Container);
  await context.engine.containers.connect(
    body.Container,
    context.parameters['name']!,
    endpointChange(body.EndpointConfig),
  );
  sendEmpty(context, 200);
}

function checkContainer(reference: string): void {
  if (reference === '') throw new TwofoldError('invalid-argument', 'invalid name or ID supplied: ""');
}

/** `Force` is for endpoints that are stuck; there are none. */
export async function disconnectNetwork(context: Context): Promise<void> {
  const body = await readJson(
    context,
    v.object({ Container: v.optional(v.string(), ''), Force: v.optional(v.boolean()) }),
  );
  checkContainer(body.Container);
  await context.engine.containers.disconnect(body.Container, context.parameters['name']!);
  sendEmpty(context, 200);
}

export async function removeNetwork(context: Context): Promise<void> {
  await context.engine.networks.remove(context.parameters['name']!);
  sendEmpty(context);
}

/** Networks that nobody is on. */
export async function pruneNetworks(context: Context): Promise<void> {
  const filters = context.query.filters(['label', 'label!', 'until']);
  const until = filters.get('until')?.map(pruneTime);
  const deleted: string[] = [];
  for (const network of context.engine.networks.list()) {
    if (
      network.builtIn ||
      context.engine.networks.endpoints(network.id).length > 0 ||
      !passesLabels(filters, network.labels)
    )
      continue;
    if (until?.some((time) => Date.parse(network.created) >= time) === true) continue;
    await context.engine.networks.remove(network.id);
    deleted.push(network.name);
  }
  sendJson(context, { NetworksDeleted: deleted.length > 0 ? deleted : null });
}
