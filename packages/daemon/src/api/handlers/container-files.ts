// Owns what reads and writes a container's files: archive (docker cp), export, changes (docker diff) and commit.

import { TwofoldError } from '@twofold/contract';
import * as v from 'valibot';
import { readJson } from '../body.ts';
import { changeLimitMs, type Context } from '../context.ts';
import { containerConfig } from '../create/schema.ts';
import { configWords, refuseInConfig } from '../create/refusals.ts';
import type { Reading } from '../json.ts';
import { joinReference } from '../references.ts';
import { sendBytes, sendEmpty, sendJson } from '../respond.ts';
import type { PathStat } from '../../engine/engine.ts';

const target = (context: Context) => context.parameters['name']!;
const statHeader = 'X-Docker-Container-Path-Stat';
const kinds = { modified: 0, added: 1, deleted: 2 } as const;

export async function changes(context: Context): Promise<void> {
  const list = await context.engine.containers.changes(target(context), context.signal);
  sendJson(context, list.length === 0 ? null : list.map(({ path, kind }) => ({ Path: path, Kind: kinds[kind] })));
}

function encodeStat(stat: PathStat): string {
  return Buffer.from(
    JSON.stringify({
      name: stat.name,
      size: stat.size,
      mode: stat.mode,
      mtime: stat.mtime,
      linkTarget: stat.linkTarget,
    }),
  ).toString('base64');
}

export async function statArchive(context: Context): Promise<void> {
  const stat = await context.engine.containers.statPath(
    target(context),
    context.query.required('path'),
    context.signal,
  );
  context.response.setHeader(statHeader, encodeStat(stat));
  sendEmpty(context, 200);
}

export async function readArchive(context: Context): Promise<void> {
  const { stat, tar } = await context.engine.containers.readArchive(
    target(context),
    context.query.required('path'),
    context.signal,
  );
  context.response.setHeader(statHeader, encodeStat(stat));
  await sendBytes(context, tar, 'application/x-tar');
}

export async function writeArchive(context: Context): Promise<void> {
  const { query } = context;
  if (context.request.headers.expect !== undefined) context.response.writeContinue();
  await context.engine.containers.writeArchive(
    target(context),
    query.required('path'),
    context.request,
    { noOverwriteDirNonDir: query.flag('noOverwriteDirNonDir'), copyUidGid: query.flag('copyUIDGID') },
    context.signal,
  );
  sendEmpty(context, 200);
}

export async function exportContainer(context: Context): Promise<void> {
  await sendBytes(
    context,
    await context.engine.containers.export(target(context), context.signal),
    'application/x-tar',
  );
}

/** Loose: refusals.ts wants to see every key. */
const commitRequest = v.pipe(
  v.looseObject({}),
  v.title('container.Config'),
  v.metadata({ readAs: containerConfig, words: configWords } satisfies Reading),
);

/** POST /commit. The body, where there is one, replaces the container's configuration. */
export async function commit(context: Context): Promise<void> {
  const { query } = context;
  const body = await readJson(context, commitRequest, { empty: true });
  refuseInConfig(body, containerConfig.entries);
  const parsed = v.safeParse(containerConfig, body);
  if (!parsed.success)
    throw new TwofoldError(
      'invalid-argument',
      `${v.getDotPath(parsed.issues[0]) ?? 'body'}: ${parsed.issues[0].message}`,
    );
  const id = await context.engine.containers.commit(
    query.required('container'),
    {
      reference: joinReference(query.text('repo'), query.text('tag')),
      message: query.text('comment') ?? '',
      author: query.text('author') ?? '',
      changes: query.texts('changes'),
      pause: query.flag('pause', true),
      ...(Object.keys(body).length > 0 ? { config: parsed.output } : {}),
    },
    context.lasting(changeLimitMs),
  );
  sendJson(context, { Id: id }, 201);
}
