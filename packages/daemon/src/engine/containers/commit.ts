// Owns `docker commit`: a container's changes become an image. While they are read a running container is paused,
// unless the caller says not to.

import { Readable } from 'node:stream';
import {
  TwofoldError,
  type ContainerConfig,
  type ContainerId,
  type ImageConfig,
  type ImageId,
} from '@twofold/contract';
import type { Containers } from '../engine.ts';
import { judge } from '../lifecycle.ts';
import { noteContainer, type Room } from '../room.ts';
import { openFilesInTurn, outputOf } from './files.ts';
import { pauseContainer, unpauseContainer } from './pause.ts';

type Options = Parameters<Containers['commit']>[1];

/** See Containers.commit. The caller holds the container's queue. */
export async function commitContainer(
  room: Room,
  id: ContainerId,
  options: Options,
  signal: AbortSignal,
): Promise<ImageId> {
  const record = room.records.need(id);
  const verdict = judge('change-files', record.life, record);
  if (verdict.is === 'refused') throw new TwofoldError(verdict.code, verdict.message);
  await using stack = new AsyncDisposableStack();
  if (options.pause && record.life.at === 'running') {
    // Written down, as docker does it: if the daemon dies now, the container is shown as what it is and can be
    // unpaused.
    await pauseContainer(room, id);
    stack.defer(() =>
      resume(room, id).catch((error: unknown) =>
        room.log.warn({ container: id, err: error }, 'A container could not be resumed after a commit.'),
      ),
    );
  }
  const run = stack.use(await openFilesInTurn(room, id, { verb: 'diff', form: 'oci' }, signal));
  run.stdin.end();
  const diff = Readable.from(outputOf(run), { objectMode: false });
  stack.defer(() => void diff.destroy());
  const image = await room.images.commit(
    record.image,
    record.sealedLayers,
    diff,
    {
      reference: options.reference,
      changes: options.changes,
      config: imageConfig(record.config, options.config),
      message: options.message,
      author: options.author,
      createdBy: (record.config.Cmd ?? []).join(' '),
    },
    signal,
  );
  noteContainer(room, id, 'commit', { comment: options.message, imageID: image.id, imageRef: options.reference ?? '' });
  return image.id;
}

/** Unless it has ended, or somebody resumed it to kill it. */
async function resume(room: Room, id: ContainerId): Promise<void> {
  if (room.records.need(id).life.at === 'paused') await unpauseContainer(room, id);
}

/** What the image runs with: the container's configuration, and over it what the request brings. */
export function imageConfig(container: ContainerConfig, request: ContainerConfig = {}): ImageConfig {
  const chosen = <K extends keyof ContainerConfig & keyof ImageConfig>(name: K): Pick<ImageConfig, K> => {
    const value = isEmpty(request[name]) ? container[name] : request[name];
    return (isEmpty(value) ? {} : { [name]: value }) as Pick<ImageConfig, K>;
  };
  const env = mergeEnvironment(container.Env ?? [], request.Env ?? []);
  const labels = { ...container.Labels, ...request.Labels };
  return {
    ...chosen('User'),
    ...chosen('ExposedPorts'),
    ...chosen('Entrypoint'),
    ...chosen('Cmd'),
    ...chosen('Volumes'),
    ...chosen('WorkingDir'),
    ...chosen('StopSignal'),
    ...chosen('Shell'),
    ...(isEmpty(request.OnBuild) ? {} : { OnBuild: request.OnBuild! }),
    ...(env.length > 0 ? { Env: env } : {}),
    ...(Object.keys(labels).length > 0 ? { Labels: labels } : {}),
  };
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    value === '' ||
    (typeof value === 'object' && Object.keys(value).length === 0)
  );
}

function mergeEnvironment(base: readonly string[], over: readonly string[]): string[] {
  const nameOf = (variable: string) => variable.split('=', 1)[0]!;
  const merged = new Map(base.map((variable) => [nameOf(variable), variable]));
  for (const variable of over) merged.set(nameOf(variable), variable);
  return [...merged.values()];
}
