// Owns which layers of an image are stacked to make its root file system. Pure.

import type { Digest } from '@twofold/contract';

/**
 * The layers to stack, top first, each once: overlayfs refuses a directory that is given twice. Builders make images
 * with the same layer in several places all the time (an empty one for each WORKDIR).
 *
 * Only the topmost occurrence counts; leaving the others out changes nothing. Whatever a lower one has at a path, the
 * upper one has too: what is no directory, and a whiteout, ends the look-up there, and so does an opaque directory;
 * a directory is merged with a second copy of itself, which brings no further name, nor does it set mode, owner or
 * times. What hides the upper occurrence's directory hides the lower one's as well, and what lies between the two hides
 * the lower one only.
 */
export function stackOf(diffIds: readonly Digest[]): Digest[] {
  return [...new Set(diffIds.toReversed())];
}
