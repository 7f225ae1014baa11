// Owns `docker rmi`: which names go, when the image itself goes, and the refusals in Docker's words. An image that any
// container uses is never deleted: at most it loses its names. Pure but for the records; deleting files is
// layer-store.ts's.

import { TwofoldError, type ImageId } from '@twofold/contract';
import type { Image } from './images.ts';
import type { ImageRecords } from './records.ts';
import {
  familiarName,
  parseReference,
  referenceKey,
  repositoryKey,
  shortId,
  withDefaultTag,
  type Reference,
} from './reference.ts';

export interface RemoveOptions {
  readonly force: boolean;
  readonly inUse: (id: ImageId) => { container: string; running: boolean } | null;
}

/** Untags, and deletes the row of an image that nothing names any more. `named` is null when the caller gave an id. */
export function removeImage(
  records: ImageRecords,
  given: string,
  image: Image,
  named: Reference | null,
  options: RemoveOptions,
): { untagged: string[]; deleted: ImageId[] } {
  const user = options.inUse(image.id);
  const tags = image.tags.map((name) => parseReference(name));
  const repositories = new Set(tags.map(repositoryKey));
  const untagged: string[] = [];
  const untag = (tag: Reference) => {
    records.untag(familiarName(tag), referenceKey(tag));
    untagged.push(familiarName(tag));
  };
  if (named !== null) {
    const last = tags.length === 1;
    if (last && user !== null && !options.force)
      throw new TwofoldError(
        'conflict',
        `conflict: unable to remove repository reference ${JSON.stringify(given)} (must force) - container ${shortId(user.container)} is using its referenced image ${shortId(image.id)}`,
      );
    untag(tags.find((tag) => referenceKey(tag) === referenceKey(withDefaultTag(named)))!);
    if (!last || user !== null) return { untagged, deleted: [] };
  } else {
    const id = shortId(image.id);
    if (user?.running === true)
      throw new TwofoldError(
        'conflict',
        `conflict: unable to delete ${id} (cannot be forced) - image is being used by running container ${shortId(user.container)}`,
      );
    if (user !== null && (!options.force || tags.length === 0))
      throw new TwofoldError(
        'conflict',
        `conflict: unable to delete ${id} (${tags.length === 0 ? 'cannot be' : 'must be'} forced) - image is being used by stopped container ${shortId(user.container)}`,
      );
    if (repositories.size > 1 && !options.force)
      throw new TwofoldError(
        'conflict',
        `conflict: unable to delete ${id} (must be forced) - image is referenced in multiple repositories`,
      );
    for (const tag of tags) untag(tag);
    if (user !== null) return { untagged, deleted: [] };
  }
  records.remove(image.id);
  return { untagged, deleted: [image.id] };
}

/** The image that `given` means, and the name it was found by (null: by its id). */
export function findImage(
  records: ImageRecords,
  given: string,
  prefix: string | null,
): { image: Image; named: Reference | null } {
  // A full id is never a name; anything shorter is a name first, as Docker has it.
  if (prefix?.length !== 64) {
    const named = /^sha256:/i.test(given) ? null : withDefaultTag(parseReference(given));
    const image = named === null ? undefined : byName(records, named);
    if (image !== undefined) return { image, named: named!.digest === null ? named : null };
    if (named !== null && prefix === null)
      throw new TwofoldError('image-not-found', `No such image: ${familiarName(named)}`);
  }
  const matches = prefix === null ? [] : records.byPrefix(prefix);
  if (matches.length > 1)
    throw new TwofoldError('ambiguous-prefix', `multiple IDs found with provided prefix: ${given}`);
  if (matches[0] === undefined)
    throw new TwofoldError(
      'image-not-found',
      `No such image: ${/^sha256:/i.test(given) || prefix?.length === 64 ? given : familiarName(withDefaultTag(parseReference(given)))}`,
    );
  return { image: matches[0], named: null };
}

/** A name with a digest fits an image of that repository that has this digest as its id. */
function byName(records: ImageRecords, named: Reference): Image | undefined {
  if (named.digest === null) return records.byReference(named);
  const match = records.tagsOf(named).find(({ image }) => (image as string) === named.digest);
  return match === undefined ? undefined : records.get(match.image);
}

/** Every tag of a repository, for a name that has none. */
export function repositoryTags(records: ImageRecords, reference: Reference): Reference[] {
  return records.tagsOf(reference).map(({ name }) => parseReference(name));
}
