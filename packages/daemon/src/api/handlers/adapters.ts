// Owns the verbs on a container's network adapters (docs/api-extensions.md), which PowerShell's commands are made of.
// Docker's view of them is ../endpoints.ts.

import * as v from 'valibot';
import type { NetworkAdapter } from '@twofold/contract';
import type { Adapter, AdapterChange, ContainerRecord } from '../../engine/engine.ts';
import { readJson } from '../body.ts';
import type { Context } from '../context.ts';
import { isUp } from '../endpoints.ts';
import { sendEmpty, sendJson } from '../respond.ts';

/** Strict: a word that is misspelt would otherwise leave an adapter as it is and say that it was changed. */
const adapterBody = v.strictObject({
  Name: v.optional(v.string()),
  Switch: v.optional(v.string()),
  StaticMacAddress: v.optional(v.string()),
  StaticIPAddress: v.optional(v.string()),
  Aliases: v.optional(v.array(v.string())),
});

export function listAdapters(context: Context): void {
  sendJson(context, adaptersView(context.engine.containers.find(context.parameters['name']!)));
}

export async function addAdapter(context: Context): Promise<void> {
  const { id } = context.engine.containers.find(context.parameters['name']!);
  const made = await context.engine.containers.addAdapter(
    id,
    changeOf(await readJson(context, adapterBody, { empty: true })),
  );
  sendJson(context, viewOf(context, id, made), 201);
}

export async function changeAdapter(context: Context): Promise<void> {
  const { id } = context.engine.containers.find(context.parameters['name']!);
  const changed = await context.engine.containers.changeAdapter(
    id,
    context.parameters['adapter']!,
    changeOf(await readJson(context, adapterBody)),
  );
  sendJson(context, viewOf(context, id, changed));
}

export async function removeAdapter(context: Context): Promise<void> {
  await context.engine.containers.removeAdapter(context.parameters['name']!, context.parameters['adapter']!);
  sendEmpty(context);
}

export function adaptersView(record: ContainerRecord): NetworkAdapter[] {
  return record.adapters.map((adapter) => adapterView(record, adapter));
}

function changeOf({
  Name: name,
  Switch: network,
  StaticMacAddress: mac,
  StaticIPAddress: address,
  Aliases: aliases,
}: v.InferOutput<typeof adapterBody>): AdapterChange {
  return {
    ...(name === undefined ? {} : { name }),
    ...(network === undefined ? {} : { network }),
    ...(mac === undefined ? {} : { mac }),
    ...(address === undefined ? {} : { address }),
    ...(aliases === undefined ? {} : { aliases }),
  };
}

function viewOf(context: Context, container: string, adapter: Adapter): NetworkAdapter {
  return adapterView(context.engine.containers.find(container), adapter);
}

function adapterView(
  record: ContainerRecord,
  { id, name, network, address, mac, aliases, lease }: Adapter,
): NetworkAdapter {
  const has = isUp(record) ? lease : null;
  return {
    Id: id,
    Name: name,
    ContainerId: record.id,
    ContainerName: record.name,
    SwitchId: network?.id ?? '',
    SwitchName: network?.name ?? '',
    StaticMacAddress: mac,
    StaticIPAddress: address,
    Aliases: aliases,
    InterfaceName: has?.name ?? '',
    MacAddress: has?.mac ?? mac,
    IPAddress: has?.address ?? '',
    PrefixLength: has?.prefixLength ?? 0,
    Gateway: has?.gateway ?? '',
  };
}
