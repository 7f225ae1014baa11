// Owns how image names come in from Docker's clients. Does not look anything up, nor decide what a name may be:
// images/reference does.

/** docker's CLI writes `docker.io/library/x` for `x`; everybody means the short form. */
export function familiar(reference: string): string {
  return reference.replace(/^docker\.io\/(library\/)?/, '');
}

/**
 * `repo` and `tag` parameters as one reference; null when there is no repo. A tag may be a digest, or be in `repo`
 * already.
 */
export function joinReference(repo: string | undefined, tag: string | undefined): string | null {
  if (repo === undefined) return null;
  const name = familiar(repo);
  if (tag === undefined) return name;
  return tag.includes(':') ? `${name}@${tag}` : `${name}:${tag}`;
}
