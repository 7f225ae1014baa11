// Owns the verbs that change or follow a container's life: start, stop, restart, kill, pause, unpause, rename, wait,
// remove, resize, top, prune.

import { TwofoldError, signalNumber } from '@twofold/contract';
import { changeLimitMs, type Context } from '../context.ts';
import { checkName } from '../create/command.ts';
import { parseTime, passesLabels } from '../query.ts';
import { beginStream, sendEmpty, sendJson } from '../respond.ts';
import { serverTiming } from '../server-timing.ts';

const target = (context: Context) => context.parameters['name']!;
/** A stop may be told to wait for ever; it ends with the daemon. */
const noLimitMs = 2 ** 31 - 1;

export async function start(context: Context): Promise<void> {
  const steps = await context.engine.containers.start(target(context), context.lasting(changeLimitMs));
  if (steps.length > 0) context.response.setHeader('Server-Timing', serverTiming(steps));
  sendEmpty(context);
}

function stopOptions(context: Context): { timeoutSeconds?: number; signal?: string } {
  const timeoutSeconds = context.query.integer('t');
  const signal = context.query.text('signal');
  return { ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }), ...(signal === undefined ? {} : { signal }) };
}

export async function stop(context: Context): Promise<void> {
  await context.engine.containers.stop(target(context), stopOptions(context), context.lasting(noLimitMs));
  sendEmpty(context);
}

export async function restart(context: Context): Promise<void> {
  await context.engine.containers.restart(target(context), stopOptions(context), context.lasting(noLimitMs));
  sendEmpty(context);
}

export async function kill(context: Context): Promise<void> {
  const signal = context.query.text('signal') ?? 'SIGKILL';
  signalNumber(signal); // a signal that is none is told before a container that is not there, as dockerd does
  await context.engine.containers.kill(target(context), signal, context.lasting(changeLimitMs));
  sendEmpty(context);
}

export async function pause(context: Context): Promise<void> {
  await context.engine.containers.pause(target(context));
  sendEmpty(context);
}

export async function unpause(context: Context): Promise<void> {
  await context.engine.containers.unpause(target(context));
  sendEmpty(context);
}

export async function rename(context: Context): Promise<void> {
  const name = context.query.required('name');
  const { id } = context.engine.containers.find(target(context));
  await context.engine.containers.rename(id, checkName(name));
  sendEmpty(context);
}

const conditions = ['not-running', 'next-exit', 'removed'] as const;

/** The headers go out as soon as the wait has begun: docker starts the container only then. */
export async function wait(context: Context): Promise<void> {
  const wanted = context.query.text('condition') ?? 'not-running';
  const condition = conditions.find((one) => one === wanted);
  if (condition === undefined)
    throw new TwofoldError('invalid-argument', `invalid condition: "${wanted.slice(0, 40)}"`);
  context.engine.containers.find(target(context));
  const outcome = context.engine.containers.wait(target(context), condition, context.signal);
  beginStream(context, 'application/json');
  const { statusCode, error } = await outcome;
  context.response.end(
    `${JSON.stringify({ StatusCode: statusCode, ...(error === undefined || error === '' ? {} : { Error: { Message: error } }) })}\n`,
  );
}

export async function remove(context: Context): Promise<void> {
  if (context.query.flag('link'))
    throw new TwofoldError('not-implemented', 'Twofold does not have this yet: links (docker rm --link).');
  await context.engine.containers.remove(
    target(context),
    { force: context.query.flag('force'), volumes: context.query.flag('v') },
    context.lasting(changeLimitMs),
  );
  sendEmpty(context);
}

export function terminalSize(context: Context): { rows: number; columns: number } {
  const rows = context.query.integer('h');
  const columns = context.query.integer('w');
  if (rows === undefined || columns === undefined || rows < 0 || columns < 0 || rows > 0xffff || columns > 0xffff) {
    throw new TwofoldError('invalid-argument', 'A terminal size needs h and w, each from 0 to 65535.');
  }
  return { rows, columns };
}

export async function resize(context: Context): Promise<void> {
  await context.engine.containers.resize(target(context), terminalSize(context));
  sendEmpty(context, 200);
}

export async function top(context: Context): Promise<void> {
  const { titles, processes } = await context.engine.containers.top(
    target(context),
    context.query.text('ps_args') ?? '-ef',
  );
  sendJson(context, { Titles: titles, Processes: processes });
}

/** Stopped containers that pass the filters `label` and `until` (a time, or a span back from now). */
export async function prune(context: Context): Promise<void> {
  const filters = context.query.filters(['label', 'label!', 'until']);
  const until = filters.get('until')?.map(pruneTime);
  const { deleted, reclaimedBytes } = await context.engine.containers.prune((record) => {
    if (!['created', 'exited', 'dead'].includes(record.life.at)) return false;
    if (until?.some((time) => Date.parse(record.created) >= time) === true) return false;
    return passesLabels(filters, record.config.Labels ?? {});
  });
  sendJson(context, { ContainersDeleted: deleted, SpaceReclaimed: reclaimedBytes });
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `10m`, `1h30m`, `2024-01-01` or Unix seconds, as Unix milliseconds. */
export function pruneTime(text: string): number {
  const time = parseTime(text);
  if (time !== undefined) return Number(time / 1_000_000n);
  if (!/^(\d{1,9}(\.\d{1,9})?(ms|s|m|h))+$/.test(text))
    throw new TwofoldError(
      'invalid-argument',
      `invalid filter 'until': "${text.slice(0, 40)}" is neither a time nor a span`,
    );
  const span = [...text.matchAll(/([\d.]+)(ms|s|m|h)/g)].reduce(
    (sum, [, number, unit]) => sum + Number(number) * unitMs[unit!]!,
    0,
  );
  return Date.now() - span;
}
