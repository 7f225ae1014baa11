// Owns taking an image archive (the outer tar of `docker load`) apart: its files are spooled into the store's ingest
// directory under names of ours, never by the names that the archive gives them. Does not own what the files mean:
// load.ts does.

import { rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { TwofoldError, type Digest } from '@twofold/contract';
import { decompress } from './compression.ts';
import type { ContentStore, SpooledFile } from './content-store.ts';
import { documentLimitBytes } from './documents.ts';
import type { Reference } from './reference.ts';
import { cleanPath, printable } from './tar/path.ts';
import { readTar } from './tar/reader.ts';

/** Entries of one archive. */
const entryLimit = 16_384;
/** Symbolic links that are followed for one name. */
const linkLimit = 8;
const blobName = /^blobs\/sha256\/([0-9a-f]{64})$/;

/** Bytes of a name: the longest that writers use is a third of that. */
const nameLimit = 512;

/** An image that an archive describes. */
export interface Candidate {
  /** Read, or made, when its turn comes: a thousand of them would fill the memory. */
  readonly config: () => Promise<Buffer>;
  /** The lowest first. */
  readonly layers: readonly SpooledFile[];
  readonly tags: readonly Reference[];
}

/** The files of an archive by their names. Disposing deletes what nobody has kept. */
export class SpooledArchive implements Disposable {
  readonly #files = new Map<string, SpooledFile>();
  readonly #links = new Map<string, string>();

  set(name: string, file: SpooledFile): void {
    const before = this.#files.get(name);
    if (before !== undefined) rmSync(before.path, { force: true });
    this.#files.set(name, file);
  }

  link(name: string, target: string): void {
    this.#links.set(name, target);
  }

  /** Of files and links. */
  names(): string[] {
    return [...this.#files.keys(), ...this.#links.keys()];
  }

  /** The file of that name, through links of the archive. */
  find(name: string): SpooledFile | undefined {
    let at = name;
    for (let hops = 0; hops < linkLimit; hops++) {
      const file = this.#files.get(at);
      const next = this.#links.get(at);
      if (file !== undefined || next === undefined) return file;
      at = next;
    }
    return undefined;
  }

  /** The same, or `invalid-argument`. The name comes from a document of the archive. */
  get(name: string): SpooledFile {
    const file = this.find(nameOf(cleanPath(Buffer.from(name))));
    if (file === undefined)
      throw new TwofoldError('invalid-argument', `The archive refers to ${printable(name)} and does not contain it.`);
    return file;
  }

  blob(digest: Digest): SpooledFile {
    return this.get(`blobs/sha256/${digest.slice('sha256:'.length)}`);
  }

  /** A document's bytes; bounded. */
  async document(file: SpooledFile): Promise<Buffer> {
    if (file.size > documentLimitBytes)
      throw new TwofoldError(
        'invalid-argument',
        `A document in the archive is longer than ${documentLimitBytes >> 20} MiB.`,
      );
    return await readFile(file.path);
  }

  [Symbol.dispose](): void {
    for (const file of this.#files.values()) rmSync(file.path, { force: true });
  }
}

/** Reads the whole archive, perhaps compressed. */
export async function spoolArchive(
  archive: Readable,
  content: ContentStore,
  signal: AbortSignal,
): Promise<SpooledArchive> {
  using opened = new DisposableStack();
  const spooled = opened.use(new SpooledArchive());
  const { content: tar } = await decompress(archive);
  let entries = 0;
  for await (const entry of readTar(tar)) {
    signal.throwIfAborted();
    if (++entries > entryLimit)
      throw new TwofoldError('invalid-argument', `The archive has more than ${entryLimit} entries.`);
    if (entry.path.at(0) === 0x2f)
      throw new TwofoldError('invalid-argument', `The archive's entry ${printable(entry.path)} has an absolute name.`);
    if (entry.path.length > nameLimit || entry.link.length > nameLimit)
      throw new TwofoldError(
        'invalid-argument',
        `The archive's entry ${printable(entry.path.subarray(0, nameLimit))} has a name longer than ${nameLimit} bytes.`,
      );
    const name = nameOf(cleanPath(entry.path));
    if (entry.kind === 'directory') continue;
    if (entry.kind === 'symlink' || entry.kind === 'hardlink') {
      if (entry.link.at(0) === 0x2f)
        throw new TwofoldError(
          'invalid-argument',
          `The archive's entry ${printable(entry.path)} links to something outside of the archive.`,
        );
      const from =
        entry.kind === 'symlink' ? Buffer.from(`${name.slice(0, name.lastIndexOf('/') + 1)}`, 'utf8') : Buffer.alloc(0);
      spooled.link(name, nameOf(cleanPath(Buffer.concat([from, entry.link]))));
      continue;
    }
    if (entry.kind !== 'file' || entry.sparse !== null)
      throw new TwofoldError(
        'invalid-argument',
        `The archive's entry ${printable(entry.path)} is a ${entry.kind === 'file' ? 'sparse file' : `${entry.kind} device`}, which an image archive cannot contain.`,
      );
    await using spool = await content.spool();
    for await (const chunk of entry.content()) await spool.write(chunk);
    const file = spool.finish();
    const [, hex] = blobName.exec(name) ?? [];
    if (hex !== undefined && file.digest !== `sha256:${hex}`)
      throw new TwofoldError(
        'invalid-argument',
        `The archive's blob sha256:${hex} does not match its name: its content has the digest ${file.digest}.`,
      );
    spool.release();
    spooled.set(name, file);
  }
  if (entries === 0) throw new TwofoldError('invalid-argument', 'The archive is empty or not a tar archive.');
  opened.move();
  return spooled;
}

/** Names in an image archive are text. */
function nameOf(parts: readonly string[]): string {
  return Buffer.from(parts.join('/'), 'latin1').toString('utf8');
}
