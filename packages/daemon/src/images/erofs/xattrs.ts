// Owns which extended attributes go into a layer, and under which of EROFS's prefixes. Those that mean something to
// overlayfs are never taken from an archive: they are made from marks alone.

import { TwofoldError } from '@twofold/contract';
import { printable } from '../tar/path.ts';
import type { TarEntry } from '../tar/reader.ts';
import type { Xattr } from './tree.ts';

const maxValueBytes = 0xffff;

const exact: Readonly<Record<string, { index: number; name: string }>> = {
  'system.posix_acl_access': { index: 2, name: '' },
  'system.posix_acl_default': { index: 3, name: '' },
  // Of the security ones only this: labels and hashes belong to the machine that made them.
  'security.capability': { index: 6, name: 'capability' },
};

export const opaqueXattr: Xattr = { index: 4, name: Buffer.from('overlay.opaque'), value: Buffer.from('y') };

function place(name: string): { index: number; name: string } | null {
  if (name.startsWith('trusted.twofold.')) return null; // our own marks (native/common/target.h)
  if (name.startsWith('user.')) return { index: 1, name: name.slice(5) };
  if (name.startsWith('trusted.')) return { index: 4, name: name.slice(8) };
  return exact[name] ?? null;
}

/** The attributes of an entry that the layer keeps, by name. */
export function keepXattrs(entry: TarEntry): Xattr[] {
  const kept: Xattr[] = [];
  for (const [name, value] of [...entry.xattrs].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (name.startsWith('trusted.overlay.'))
      throw new TwofoldError(
        'invalid-argument',
        `The archive's entry ${printable(entry.path)} carries the attribute ${printable(name)}, which would change how layers are stacked.`,
      );
    const to = place(name);
    if (to === null) continue;
    const bytes = Buffer.from(to.name, 'latin1');
    if (bytes.length > 255 || value.length > maxValueBytes)
      throw new TwofoldError(
        'unsupported',
        `The archive's entry ${printable(entry.path)} has an extended attribute of ${value.length} bytes; the limit is ${maxValueBytes}.`,
      );
    kept.push({ index: to.index, name: bytes, value });
  }
  return kept;
}
