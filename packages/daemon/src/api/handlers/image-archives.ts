// Owns images as streams: load, save, import. Progress goes out as Docker's JSON lines, and what fails in a load as one
// too.

import { TwofoldError } from '@twofold/contract';
import type { Image } from '../../images/images.ts';
import type { Context } from '../context.ts';
import { familiar, joinReference } from '../references.ts';
import { renderError } from '../render-error.ts';
import { writePiece } from '../respond.ts';

/**
 * `docker pull` and `docker import` are one path; only the second is here. docker run asks for the first when an image
 * is unknown.
 */
export async function createImage(context: Context): Promise<void> {
  const { query } = context;
  const source = query.text('fromSrc');
  if (source === undefined) {
    const name = joinReference(query.text('fromImage'), query.text('tag')) ?? '';
    throw new TwofoldError(
      'not-implemented',
      isHere(context, name)
        ? `Twofold cannot pull images yet; "${name}" is already on this machine and runs without pulling`
        : `Twofold cannot pull images yet, and "${name}" is not on this machine: bring it with docker load or docker import. The built-in images, nanoserver and windowsservercore, can be loaded again from base-images below the library root (/usr/local/lib/twofold)`,
    );
  }
  if (source !== '-')
    throw new TwofoldError(
      'not-implemented',
      'Twofold does not have this yet: importing from a URL. Send the tar itself (docker import -).',
    );
  takeBody(context);
  const image = await context.engine.images.import(
    context.request,
    {
      reference: joinReference(query.text('repo'), query.text('tag')),
      changes: query.texts('changes'),
      message: query.text('message') ?? '',
    },
    context.signal,
  );
  context.response.writeHead(200, { 'Content-Type': 'application/json' });
  context.response.end(`${JSON.stringify({ status: image.id })}\r\n`);
}

function isHere({ engine }: Context, name: string): boolean {
  try {
    engine.images.find(name);
    return true;
  } catch {
    return false;
  }
}

function takeBody(context: Context): void {
  if (context.request.headers.expect !== undefined) context.response.writeContinue();
}

export async function loadImages(context: Context): Promise<void> {
  const { response } = context;
  takeBody(context);
  let last: Promise<void> = Promise.resolve();
  /** One after the other, as fast as the client reads them: several layers are made at once. */
  const line = (value: unknown): Promise<void> => {
    if (!response.headersSent) response.writeHead(200, { 'Content-Type': 'application/json' });
    last = last.then(() => writePiece(response, `${JSON.stringify(value)}\r\n`, context.signal));
    return last;
  };
  const quiet = context.query.flag('quiet');
  try {
    const before = new Set(
      context.engine.images.list().flatMap((image) => image.tags.map((tag) => `${image.id} ${tag}`)),
    );
    const images = await context.engine.images.load(
      context.request,
      async (text) => {
        if (!quiet) await line({ stream: text.endsWith('\n') ? text : `${text}\n` });
      },
      context.signal,
    );
    for (const image of images) for (const text of loadedLines(image, before)) await line({ stream: `${text}\n` });
    if (images.length === 0) await line({ stream: 'Nothing was loaded.\n' });
  } catch (error) {
    const { message, ours } = renderError(error, 0);
    if (ours && !context.signal.aborted) context.log.error({ err: error }, 'An image could not be loaded.');
    await line({ errorDetail: { message }, error: message });
  }
  response.end();
}

/** The names that this load gave; all of them when it gave none anew. */
function loadedLines(image: Image, before: ReadonlySet<string>): string[] {
  const fresh = image.tags.filter((tag) => !before.has(`${image.id} ${tag}`));
  const tags = fresh.length > 0 ? fresh : image.tags;
  return tags.length > 0 ? tags.map((tag) => `Loaded image: ${tag}`) : [`Loaded image ID: ${image.id}`];
}

export async function saveImages(context: Context): Promise<void> {
  // Clients repeat the parameter or join the names with commas.
  await save(
    context,
    context.query
      .texts('names')
      .flatMap((names) => names.split(','))
      .map(familiar),
  );
}

export async function saveImage(context: Context): Promise<void> {
  await save(context, [familiar(context.parameters['name']!)]);
}

async function save(context: Context, names: string[]): Promise<void> {
  if (names.length === 0) throw new TwofoldError('invalid-argument', 'Saving needs at least one image name.');
  // Sent with the first byte: a name that is unknown is told before it.
  context.response.setHeader('Content-Type', 'application/x-tar');
  await context.engine.images.save(names, context.response, context.signal);
  if (!context.response.writableEnded) context.response.end();
}
