// Owns GET /containers/json: which containers are listed, and what a line of `docker ps` is made of.

import { TwofoldError } from '@twofold/contract';
import type { Context } from '../context.ts';
import { statusText } from '../durations.ts';
import type { ContainerRecord, Engine } from '../../engine/engine.ts';
import { type Filters, nameExpression, passes, passesLabels } from '../query.ts';
import { sendJson } from '../respond.ts';
import { endpointsOf, networksView } from '../endpoints.ts';
import { dockerName, networkMode } from '../network-names.ts';

const known = [
  'id',
  'name',
  'label',
  'label!',
  'status',
  'exited',
  'ancestor',
  'network',
  'isolation',
  'before',
  'since',
  'health',
  'is-task',
  'expose',
  'publish',
  'volume',
];
const states = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];

export async function listContainers(context: Context): Promise<void> {
  const { engine, query } = context;
  const filters = query.filters(known);
  const limit = query.integer('limit') ?? 0;
  const status = filters.get('status');
  for (const one of status ?? [])
    if (!states.includes(one))
      throw new TwofoldError('invalid-argument', `invalid filter 'status=${one.slice(0, 40)}'`);
  const everyState = query.flag('all') || limit > 0 || status !== undefined;
  const fits = filterOf(engine, filters);
  const chosen = engine.containers
    .list()
    .filter((record) => (everyState || ['running', 'paused', 'restarting'].includes(record.life.at)) && fits(record))
    .toSorted(newestFirst);
  const shown = limit > 0 ? chosen.slice(0, limit) : chosen;
  const sized = query.flag('size');
  const now = Date.now();
  sendJson(
    context,
    await Promise.all(
      shown.map(async (record) => ({
        ...summary(engine, record, now),
        ...(sized ? await sizes(context, record) : {}),
      })),
    ),
  );
}

function newestFirst(a: ContainerRecord, b: ContainerRecord): number {
  return a.created < b.created ? 1 : a.created > b.created ? -1 : 0;
}

/** Docker's filters: values of one name are alternatives, names add up; labels all have to fit. */
function filterOf(engine: Engine, filters: Filters): (record: ContainerRecord) => boolean {
  for (const code of filters.get('exited') ?? [])
    if (!/^-?\d{1,10}$/.test(code))
      throw new TwofoldError('invalid-argument', `invalid filter 'exited=${code.slice(0, 40)}'`);
  const names = filters.get('name')?.map(nameExpression);
  const ids = filters.get('id')?.map(nameExpression);
  const before = filters.get('before')?.map((reference) => engine.containers.find(reference).created);
  const since = filters.get('since')?.map((reference) => engine.containers.find(reference).created);
  const ancestors = filters.get('ancestor')?.map((reference) => ancestorOf(engine, reference));
  return (record) =>
    (names === undefined || names.some((name) => name.test(record.name) || name.test(`/${record.name}`))) &&
    (ids === undefined || ids.some((id) => id.test(record.id))) &&
    (before === undefined || before.some((time) => record.created < time)) &&
    (since === undefined || since.some((time) => record.created > time)) &&
    (ancestors === undefined || ancestors.some((isAncestor) => isAncestor(record))) &&
    passes(filters, 'status', (value) => record.life.at === value) &&
    passes(filters, 'exited', (value) => record.life.at === 'exited' && record.life.exitCode === Number(value)) &&
    passes(filters, 'isolation', (value) =>
      [record.isolation as string, record.requestedIsolation].includes(value.toLowerCase()),
    ) &&
    passes(filters, 'network', (value) => isOn(record, value)) &&
    passes(filters, 'health', (value) => value === 'none') &&
    passes(filters, 'is-task', (value) => value === 'false') &&
    passes(filters, 'expose', () => false) &&
    passes(filters, 'publish', () => false) &&
    passes(filters, 'volume', () => false) &&
    passesLabels(filters, record.config.Labels ?? {});
}

/** By name, id or prefix; Docker's names for the default switch lead to it. */
function isOn(record: ContainerRecord, network: string): boolean {
  const wanted = network === 'default' ? 'bridge' : dockerName(network.toLowerCase());
  return (
    record.networking === wanted ||
    [...endpointsOf(record).values()].some(
      (adapter) =>
        dockerName(adapter.network!.name).toLowerCase() === wanted || adapter.network!.id.startsWith(network),
    )
  );
}

/** The image itself, or one that begins with all of its layers. An unknown image is nobody's ancestor. */
function ancestorOf(engine: Engine, reference: string): (record: ContainerRecord) => boolean {
  try {
    const image = engine.images.find(reference);
    return (record) =>
      record.image === image.id ||
      (image.diffIds.length > 0 && image.diffIds.every((layer, index) => record.diffIds[index] === layer));
  } catch {
    return () => false;
  }
}

/** One element of the list, without sizes. */
export function summary(engine: Engine, record: ContainerRecord, now: number): Record<string, unknown> {
  return {
    Id: record.id,
    Names: [`/${record.name}`],
    Image: record.imageName,
    ImageID: record.image,
    Command: [...(record.config.Entrypoint ?? []), ...(record.config.Cmd ?? [])]
      .map((word) => (/[\s'"]/.test(word) ? `'${word}'` : word))
      .join(' '),
    Created: Math.floor(Date.parse(record.created) / 1000),
    Ports: [],
    Labels: record.config.Labels ?? {},
    State: record.life.at,
    Status: statusText(record.life, now),
    HostConfig: { NetworkMode: networkMode(record.hostConfig.NetworkMode) },
    NetworkSettings: { Networks: networksView(engine.networks, record) },
    Mounts: [],
    Twofold: {
      Isolation: record.isolation,
      RequestedIsolation: record.requestedIsolation,
      StartedAt:
        record.life.at === 'running' || record.life.at === 'paused'
          ? new Date(record.life.startedAt).toISOString()
          : '',
    },
  };
}

export async function sizes(
  { engine, signal }: Context,
  record: ContainerRecord,
): Promise<{ SizeRw: number; SizeRootFs: number }> {
  const written = await engine.containers.size(record.id, signal);
  return { SizeRw: written, SizeRootFs: written + imageSize(engine, record) };
}

function imageSize(engine: Engine, record: ContainerRecord): number {
  try {
    return engine.images.find(record.image).sizeBytes;
  } catch {
    return 0; // removed by force while the container stayed
  }
}
