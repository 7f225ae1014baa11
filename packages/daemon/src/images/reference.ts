// Owns image references: reading them as the distribution specification and Docker's familiar names have them, and what
// makes two of them the same here (case does not count: `NanoServer` is `nanoserver`). Pure; looks nothing up. Source:
// https://github.com/distribution/reference (regexp.go, normalize.go)

import { TwofoldError, type Digest, type ImageId } from '@twofold/contract';

export interface Reference {
  /** `docker.io`, `localhost:5000`; lower case. */
  readonly domain: string;
  /** `library/nanoserver`, in the case it was given. */
  readonly path: string;
  readonly tag: string | null;
  readonly digest: Digest | null;
}

const domainComponent = '(?:[a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])';
const domainPattern = new RegExp(`^(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-f0-9:]+\\])(?::[0-9]+)?$`);
const pathComponent = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const pathPattern = new RegExp(`^${pathComponent}(?:/${pathComponent})*$`);
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;
/** Domain and path together; the distribution specification's limit. */
const nameLimit = 255;
/** No legal reference is longer: name, tag, digest and the marks between. */
const referenceLimit = nameLimit + 1 + 128 + 1 + 71;

/** True for `sha256:` and 64 lower-case hexadecimal digits. */
export function isDigest(text: string): text is Digest {
  return digestPattern.test(text);
}

/** Reads `[domain/]path[:tag][@digest]`. Throws `invalid-argument` with Docker's words for what can't be one. */
export function parseReference(text: string): Reference {
  const refuse = (why = ''): never => {
    throw new TwofoldError('invalid-argument', `invalid reference format${why}: ${JSON.stringify(text.slice(0, 300))}`);
  };
  if (text.length === 0 || text.length > referenceLimit) refuse();
  const at = text.indexOf('@');
  const digest = at === -1 ? null : text.slice(at + 1).toLowerCase();
  if (digest !== null && !isDigest(digest)) refuse();
  const named = at === -1 ? text : text.slice(0, at);
  // A colon behind the last slash is the tag's; one before it is a port's.
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const tag = colon === -1 ? null : named.slice(colon + 1);
  if (tag !== null && !tagPattern.test(tag)) refuse();
  const name = colon === -1 ? named : named.slice(0, colon);
  const { domain, path } = splitDomain(name);
  if (!domainPattern.test(domain) || !pathPattern.test(path.toLowerCase())) refuse();
  if (domain.length + 1 + path.length > nameLimit) refuse(` (the name is longer than ${nameLimit} characters)`);
  if (/^(?:library\/)?[0-9a-f]{64}$/i.test(path)) refuse(' (a name of 64 hexadecimal digits would be taken for an id)');
  return { domain, path, tag, digest: digest as Digest | null };
}

function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, slash).toLowerCase();
  const hasDomain = slash !== -1 && (first.includes('.') || first.includes(':') || first === 'localhost');
  let domain = hasDomain ? first : 'docker.io';
  let path = hasDomain ? name.slice(slash + 1) : name;
  if (domain === 'index.docker.io') domain = 'docker.io';
  if (domain === 'docker.io' && !path.includes('/')) path = `library/${path}`;
  return { domain, path };
}

/** The same reference with a tag: `latest` where it had neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === null && reference.digest === null ? { ...reference, tag: 'latest' } : reference;
}

/** Short form as Docker shows it: `nanoserver:latest`, `localhost:5000/a`. */
export function familiarName(reference: Reference): string {
  return familiarRepository(reference) + suffix(reference);
}

/** Without tag and digest. */
export function familiarRepository({ domain, path }: Reference): string {
  if (domain !== 'docker.io') return `${domain}/${path}`;
  const short = /^library\/[^/]+$/.test(path) ? path.slice('library/'.length) : path;
  // Where the path begins like a domain (docker.io/a.b/c) only the full form reads back as it was.
  return splitDomain(short).domain === 'docker.io' ? short : `${domain}/${path}`;
}

/** Full form: `docker.io/library/nanoserver:latest`. */
export function canonicalName(reference: Reference): string {
  return `${reference.domain}/${reference.path}${suffix(reference)}`;
}

/** Two references with the same key name the same image. */
export function referenceKey(reference: Reference): string {
  return canonicalName(reference).toLowerCase();
}

/** Key of the repository: what all its tags share. */
export function repositoryKey(reference: Reference): string {
  return `${reference.domain}/${reference.path}`.toLowerCase();
}

function suffix({ tag, digest }: Reference): string {
  return (tag === null ? '' : `:${tag}`) + (digest === null ? '' : `@${digest}`);
}

/**
 * The hexadecimal digits of an id or a prefix of one (`sha256:646d…`, `646D6317B02F`), or null when it can't be one.
 */
export function idPrefix(text: string): string | null {
  const digits = (/^sha256:/i.test(text) ? text.slice('sha256:'.length) : text).toLowerCase();
  return /^[0-9a-f]{1,64}$/.test(digits) ? digits : null;
}

/** Twelve digits, as lists show an id. */
export function shortId(id: ImageId | Digest | string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}
