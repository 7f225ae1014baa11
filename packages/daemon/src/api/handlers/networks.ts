// Owns the network verbs. A network is what PowerShell calls a virtual switch.

import { TwofoldError } from '@twofold/contract';
import * as v from 'valibot';
import type { Engine } from '../../engine/engine.ts';
import type { Network } from '../../networks/networks.ts';
import { readJson } from '../body.ts';
import type { Context } from '../context.ts';
import { isUnset } from '../create/refusals.ts';
import { nameExpression, passes, passesLabels } from '../query.ts';
import { sendEmpty, sendJson } from '../respond.ts';
import { pruneTime } from './container-life.ts';

const createBody = v.looseObject({
  Name: v.pipe(v.string(), v.regex(/^[a-zA-Z0-9][a-zA-Z0-9 _.-]{0,127}$/, 'a network name begins with a letter or digit and has letters, digits, spaces and _.- only')),
  Driver: v.optional(v.string(), 'bridge'),
  Internal: v.optional(v.boolean(), false),
  Labels: v.optional(v.record(v.string(), v.string()), {}),
  IPAM: v.optional(v.looseObject({
    Driver: v.optional(v.string(), ''),
    Config: v.optional(v.array(v.looseObject({ Subnet: v.optional(v.string()), Gateway: v.optional(v.string()) })), []),
  }), {}),
});

export function listNetworks(context: Context): void {
  const filters = context.query.filters(['name', 'id', 'driver', 'type', 'label', 'label!', 'scope', 'dangling']);
  const names = filters.get('name')?.map(nameExpression);
  const networks = context.engine.networks.list().filter((network) =>
    (names === undefined || names.some((name) => name.test(network.name))) &&
    passes(filters, 'id', (value) => network.id.includes(value)) &&
    passes(filters, 'driver', (value) => network.driver === value) &&
    passes(filters, 'type', (value) => (value === 'builtin') === network.builtIn) &&
    passes(filters, 'scope', (value) => value === 'local') &&
    passes(filters, 'dangling', (value) => (value === 'true' || value === '1') === (!network.builtIn && context.engine.networks.endpoints(network.id).length === 0)) &&
    passesLabels(filters, network.labels));
  sendJson(context, networks.map((network) => networkView(context.engine, network, false)));
}

export function inspectNetwork(context: Context): void {
  sendJson(context, networkView(context.engine, context.engine.networks.find(context.parameters['name']!), true));
}

function networkView(engine: Engine, network: Network, whole: boolean): Record<string, unknown> {
  return {
    Name: network.name,
    Id: network.id,
    Created: network.created,
    Scope: 'local',
    Driver: network.driver === 'none' ? 'null' : network.driver,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: { Driver: 'default', Options: null, Config: network.subnet === '' ? [] : [{ Subnet: network.subnet, Gateway: network.gateway }] },
    Internal: network.internal,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: whole ? members(engine, network) : {},
    Options: network.bridge === '' ? {} : { 'com.docker.network.bridge.name': network.bridge },
    Labels: network.labels,
  };
}

/** Docker shows the running ones. */
function members(engine: Engine, network: Network): Record<string, unknown> {
  const running = engine.containers.list().filter((record) => record.network?.id === network.id && ['running', 'paused'].includes(record.life.at));
  return Object.fromEntries(running.map((record) => [record.id, {
    Name: record.name, EndpointID: record.id, MacAddress: record.network!.mac, IPv4Address: `${record.network!.address}/${record.network!.prefixLength}`, IPv6Address: '',
  }]));
}

export async function createNetwork(context: Context): Promise<void> {
  const body = await readJson(context, createBody);
  if (body.Driver !== 'bridge' && body.Driver !== '') throw new TwofoldError('not-implemented', `Twofold does not have this yet: the network driver "${body.Driver.slice(0, 60)}".`);
  if (body.IPAM.Driver !== undefined && !['', 'default'].includes(body.IPAM.Driver)) throw new TwofoldError('not-implemented', `Twofold does not have this yet: the address driver "${body.IPAM.Driver.slice(0, 60)}".`);
  for (const [key, what] of [['EnableIPv6', 'IPv6'], ['Ingress', 'ingress networks'], ['ConfigOnly', 'networks that are only a configuration'], ['ConfigFrom', 'networks from a configuration'], ['Options', 'driver options of a network']] as const) {
    if (!isUnset(body[key]) && !(key === 'ConfigFrom' && isUnset((body[key] as { Network?: string }).Network))) throw new TwofoldError('not-implemented', `Twofold does not have this yet: ${what}.`);
  }
  const [config, ...more] = body.IPAM.Config ?? [];
  if (more.length > 0) throw new TwofoldError('not-implemented', 'Twofold does not have this yet: more than one subnet for a network.');
  for (const key of ['IPRange', 'AuxiliaryAddresses', 'AuxAddress']) if (!isUnset(config?.[key])) throw new TwofoldError('not-implemented', `Twofold does not have this yet: ${key} of a network.`);
  const network = await context.engine.networks.create({
    name: body.Name, internal: body.Internal, labels: body.Labels,
    ...(config?.Subnet ? { subnet: config.Subnet } : {}), ...(config?.Gateway ? { gateway: config.Gateway } : {}),
  });
  sendJson(context, { Id: network.id, Warning: '' }, 201);
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
    if (network.builtIn || context.engine.networks.endpoints(network.id).length > 0 || !passesLabels(filters, network.labels)) continue;
    if (until?.some((time) => Date.parse(network.created) >= time) === true) continue;
    await context.engine.networks.remove(network.id);
    deleted.push(network.name);
  }
  sendJson(context, { NetworksDeleted: deleted.length > 0 ? deleted : null });
}
