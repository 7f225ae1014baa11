// Owns the image verbs without archives: list, inspect, history, tag, remove, prune.

import { TwofoldError, type ImageId } from '@twofold/contract';
import type { Image } from '../../images/images.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Context } from '../context.ts';
import { type Filters, passes, passesLabels } from '../query.ts';
import { familiar, joinReference } from '../references.ts';
import { sendEmpty, sendJson } from '../respond.ts';
import { pruneTime } from './container-life.ts';

const reference = (context: Context) => familiar(context.parameters['name']!);

export function listImages(context: Context): void {
  const filters = context.query.filters(['reference', 'dangling', 'label', 'label!', 'before', 'since', 'until']);
  const fits = filterOf(context.engine, filters);
  const images = context.engine.images
    .list()
    .filter(fits)
    .toSorted((a, b) => Date.parse(b.created) - Date.parse(a.created));
  sendJson(
    context,
    images.map((image) => imageSummary(image, context.minor, -1)),
  );
}

function filterOf(engine: Engine, filters: Filters): (image: Image) => boolean {
  const time = (image: Image) => Date.parse(image.created);
  const before = filters.get('before')?.map((name) => time(engine.images.find(familiar(name))));
  const since = filters.get('since')?.map((name) => time(engine.images.find(familiar(name))));
  const until = filters.get('until')?.map(pruneTime);
  return (image) =>
    passes(filters, 'reference', (pattern) => image.tags.some((tag) => matchesReference(tag, familiar(pattern)))) &&
    passes(filters, 'dangling', (value) => (value === 'true' || value === '1') === (image.tags.length === 0)) &&
    (before === undefined || before.some((limit) => time(image) < limit)) &&
    (since === undefined || since.some((limit) => time(image) > limit)) &&
    (until === undefined || until.every((limit) => time(image) < limit)) &&
    passesLabels(filters, image.config.Labels ?? {});
}

/**
 * `*` and `?` stop at slashes, as in Docker. A pattern without a tag is one for the repository. Case does not matter.
 */
export function matchesReference(tag: string, pattern: string): boolean {
  const source = pattern
    .toLowerCase()
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '[^/]*')
    .replace(/\?/g, '[^/]');
  const expression = new RegExp(`^${source}$`);
  const name = tag.toLowerCase();
  return expression.test(name) || expression.test(name.replace(/:[^:/]*$/, ''));
}

/** One line of `docker images`. */
export function imageSummary(image: Image, minor: number, containers: number): Record<string, unknown> {
  return {
    Id: image.id,
    ParentId: image.parent,
    RepoTags: image.tags.length > 0 ? image.tags : minor < 43 ? ['<none>:<none>'] : [],
    RepoDigests: minor < 43 && image.tags.length === 0 ? ['<none>@<none>'] : [],
    Created: Math.floor(Date.parse(image.created) / 1000),
    Size: image.sizeBytes,
    ...(minor < 44 ? { VirtualSize: image.sizeBytes } : {}),
    SharedSize: -1,
    Labels: image.config.Labels ?? null,
    Containers: containers,
  };
}

export function inspectImage(context: Context): void {
  const image = context.engine.images.find(reference(context));
  sendJson(context, {
    Id: image.id,
    RepoTags: image.tags,
    RepoDigests: [],
    Parent: image.parent,
    Comment: image.comment,
    Created: image.created,
    DockerVersion: '',
    Author: image.author,
    Config: {
      User: '',
      Env: null,
      Cmd: null,
      Entrypoint: null,
      WorkingDir: '',
      Labels: null,
      OnBuild: null,
      Volumes: null,
      ...image.config,
    },
    Architecture: image.architecture,
    Os: image.os,
    Size: image.sizeBytes,
    ...(context.minor < 44 ? { VirtualSize: image.sizeBytes } : {}),
    GraphDriver: { Name: 'erofs-overlay', Data: { Layers: String(image.diffIds.length) } },
    RootFS: { Type: 'layers', Layers: image.diffIds },
    Metadata: { LastTagTime: '0001-01-01T00:00:00Z' },
  });
}

/** Newest first; only the newest step has an id, as with images that were pulled. */
export function imageHistory(context: Context): void {
  const image = context.engine.images.find(reference(context));
  const steps = image.history.length > 0 ? image.history : image.diffIds.map(() => ({}) as Image['history'][number]);
  const left = [...image.layerBytes];
  const sizes = steps.map((step) => (step.empty_layer === true ? 0 : (left.shift() ?? 0)));
  sendJson(
    context,
    steps
      .toReversed()
      .map((step, index) => ({
        Id: index === 0 ? image.id : '<missing>',
        Created: Math.floor(Date.parse(step.created ?? image.created) / 1000) || 0,
        CreatedBy: step.created_by ?? '',
        Tags: index === 0 && image.tags.length > 0 ? image.tags : null,
        Size: sizes[steps.length - 1 - index]!,
        Comment: step.comment ?? '',
      })),
  );
}

export function tagImage(context: Context): void {
  const target = joinReference(context.query.required('repo'), context.query.text('tag'))!;
  if (/[A-Z]/.test(target.replace(/[:@].*$/, '')))
    throw new TwofoldError('invalid-argument', 'invalid reference format: repository name must be lowercase');
  context.engine.images.tag(reference(context), target);
  sendEmpty(context, 201);
}

/** Which container holds an image, running ones first. */
export function usersOf(engine: Engine): (id: ImageId) => { container: string; running: boolean } | null {
  return (id) => {
    const users = engine.containers.list().filter((record) => record.image === id);
    const running = users.find((record) => ['running', 'paused', 'restarting'].includes(record.life.at));
    const user = running ?? users[0];
    return user === undefined ? null : { container: user.id.slice(0, 12), running: running !== undefined };
  };
}

const removalView = (removed: { untagged: string[]; deleted: string[] }) => [
  ...removed.untagged.map((name) => ({ Untagged: name })),
  ...removed.deleted.map((id) => ({ Deleted: id })),
];

export function removeImage(context: Context): void {
  const removed = context.engine.images.remove(reference(context), {
    force: context.query.flag('force'),
    inUse: usersOf(context.engine),
  });
  sendJson(context, removalView(removed));
}

/** Images without a name; with `dangling=false` also those that no container uses. */
export function pruneImages(context: Context): void {
  const { engine } = context;
  const filters = context.query.filters(['dangling', 'label', 'label!', 'until']);
  const all = filters.get('dangling')?.some((value) => value === 'false' || value === '0') ?? false;
  const rest = new Map([...filters].filter(([name]) => name !== 'dangling'));
  const fits = filterOf(engine, rest);
  const inUse = usersOf(engine);
  const removed: Record<string, string>[] = [];
  let reclaimed = 0;
  for (const image of engine.images.list()) {
    if (inUse(image.id) !== null || !fits(image) || (image.tags.length > 0 && !all)) continue;
    for (const name of image.tags.length > 0 ? image.tags : [image.id]) {
      const outcome = engine.images.remove(name, { force: false, inUse });
      removed.push(...removalView(outcome));
      if (outcome.deleted.includes(image.id)) reclaimed += image.sizeBytes;
    }
  }
  sendJson(context, { ImagesDeleted: removed.length > 0 ? removed : null, SpaceReclaimed: reclaimed });
}
