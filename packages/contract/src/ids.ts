// Owns the identifiers that cross rooms. Does not look anything up: a name or prefix becomes an id in the engine's
// store.

/** 64 lower-case hexadecimal digits, Docker's form. Its first 32 digits are the container's GUID. */
export type ContainerId = string & { readonly kind: 'container' };
/**
 * 64 lower-case hexadecimal digits. Docker and PowerShell use one sandbox for one container, with the container's id.
 */
export type SandboxId = string & { readonly kind: 'sandbox' };
/** 64 lower-case hexadecimal digits. */
export type ExecId = string & { readonly kind: 'exec' };
/** `sha256:` and 64 hexadecimal digits: the digest of the image's configuration. */
export type ImageId = string & { readonly kind: 'image' };
/** `sha256:` and 64 hexadecimal digits of a blob. */
export type Digest = string & { readonly kind: 'digest' };
/** 64 lower-case hexadecimal digits. */
export type NetworkId = string & { readonly kind: 'network' };
/** A GUID with dashes, lower case: a container's network adapter. */
export type AdapterId = string & { readonly kind: 'adapter' };

/** The two isolation levels. `default` is resolved to one of them when a container is created. */
export type Isolation = 'process' | 'hyperv';

/** A fresh random 64-digit id. */
export function newId<T extends ContainerId | SandboxId | ExecId | NetworkId>(): T {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex') as T;
}

/** A fresh random GUID. */
export function newAdapterId(): AdapterId {
  return crypto.randomUUID() as string as AdapterId;
}

/** The GUID's 32 hexadecimal digits, without dashes: the name of the worker's user. */
export function guidDigits(id: ContainerId | SandboxId): string {
  return id.slice(0, 32);
}

/** The container's GUID as PowerShell shows it: `239def76-d29a-…`, lower case. */
export function guid(id: ContainerId | SandboxId): string {
  const g = guidDigits(id);
  return `${g.slice(0, 8)}-${g.slice(8, 12)}-${g.slice(12, 16)}-${g.slice(16, 20)}-${g.slice(20)}`;
}
