// Owns GET /events: the engine's events in Docker's words, one JSON object a line, filtered.

import type { EngineEvent } from '../../engine/engine.ts';
import type { Context } from '../context.ts';
import { dockerName } from '../network-names.ts';
import { type Filters, passes, passesLabels } from '../query.ts';
import { beginStream, writePiece } from '../respond.ts';

const known = [
  'type',
  'event',
  'container',
  'image',
  'network',
  'label',
  'label!',
  'daemon',
  'scope',
  'volume',
  'plugin',
  'service',
  'node',
  'secret',
  'config',
];

export async function streamEvents(context: Context): Promise<void> {
  const filters = context.query.filters(known);
  const since = context.query.time('since');
  const until = context.query.time('until');
  const events = context.engine.events(
    { ...(since === undefined ? {} : { since }), ...(until === undefined ? {} : { until }) },
    context.signal,
  );
  beginStream(context, 'application/json');
  for await (const event of events) {
    const told = inDockersWords(event);
    if (fits(told, filters)) await writePiece(context.response, `${renderEvent(told)}\n`, context.signal);
  }
  context.response.end();
}

/** The default switch has another name in Docker's view. */
function inDockersWords(event: EngineEvent): EngineEvent {
  const { name } = event.attributes;
  if (event.type !== 'network' || name === undefined) return event;
  return { ...event, attributes: { ...event.attributes, name: dockerName(name) } };
}

function fits(event: EngineEvent, filters: Filters): boolean {
  const named = (type: EngineEvent['type']) => (value: string) =>
    event.type === type &&
    (event.actor.startsWith(value) || event.attributes['name']?.toLowerCase() === value.toLowerCase());
  return (
    passes(filters, 'type', (value) => event.type === value) &&
    // `exec_start: sh -c …` is asked for by its first word
    passes(filters, 'event', (value) => event.action === value || event.action.startsWith(`${value}:`)) &&
    passes(filters, 'container', named('container')) &&
    passes(
      filters,
      'image',
      (value) =>
        named('image')(value) ||
        (event.type === 'container' &&
          [event.attributes['image'], event.attributes['image']?.replace(/:[^:/]*$/, '')].includes(value)),
    ) &&
    passes(filters, 'network', (value) => named('network')(dockerName(value))) &&
    passes(filters, 'daemon', named('daemon')) &&
    passes(filters, 'scope', (value) => value === 'local') &&
    ['volume', 'plugin', 'service', 'node', 'secret', 'config'].every((name) => passes(filters, name, () => false)) &&
    passesLabels(filters, event.attributes)
  );
}

/** Nanoseconds exceed what a JavaScript number holds exactly, so they are written in as digits. */
export function renderEvent(event: EngineEvent): string {
  const old =
    event.type === 'container' || event.type === 'image'
      ? {
          status: event.action,
          id: event.actor,
          ...(event.type === 'container' ? { from: event.attributes['image'] ?? '' } : {}),
        }
      : {};
  const body = JSON.stringify({
    ...old,
    Type: event.type,
    Action: event.action,
    Actor: { ID: event.actor, Attributes: event.attributes },
    scope: 'local',
    time: Number(event.timeNano / 1_000_000_000n),
  });
  return `${body.slice(0, -1)},"timeNano":${event.timeNano}}`;
}
