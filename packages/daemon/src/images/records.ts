// Owns the room's rows: images, their tags, layers, and which base archives have been loaded. Names and ids are found
// here. Files are others' business; a row is written only when its files are durable.

import type { Digest, ImageId } from '@twofold/contract';
import type { Compression } from './compression.ts';
import type { ImageDescriptions, DescribedImage } from './descriptions.ts';
import { readImage } from './documents.ts';
import type { Image } from './images.ts';
import { familiarName, referenceKey, repositoryKey, type Reference } from './reference.ts';

/** What this room needs of the daemon's database (state/database.ts has it). */
export interface Rows {
  migrate(room: string, steps: readonly string[]): void;
  run(sql: string, ...values: (string | number | bigint | Uint8Array | null)[]): number;
  get<T>(sql: string, ...values: (string | number)[]): T | undefined;
  all<T>(sql: string, ...values: (string | number)[]): T[];
  transaction<T>(work: () => T, options?: { durable?: boolean }): T;
  afterCommit(when: 'remember' | 'tell', step: () => void): void;
  makingRoom<T>(work: () => T): T;
}

export interface StoredLayer {
  readonly diffId: Digest;
  /** The layer's tar as it came, perhaps compressed. */
  readonly blob: Digest;
  readonly compression: Compression;
  readonly blobBytes: number;
  /** Of the EROFS file. */
  readonly sizeBytes: number;
  /** Of the files in it; null or absent for a layer that an earlier version made. */
  readonly contentBytes?: number | null;
}

const migrations = [
  `CREATE TABLE image_layers (diff_id TEXT PRIMARY KEY, blob TEXT NOT NULL, compression TEXT NOT NULL, blob_bytes INTEGER NOT NULL, size_bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE images (id TEXT PRIMARY KEY, config BLOB NOT NULL, parent TEXT NOT NULL) STRICT;
   CREATE TABLE image_layer_use (image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE, position INTEGER NOT NULL, diff_id TEXT NOT NULL REFERENCES image_layers (diff_id), PRIMARY KEY (image, position)) STRICT, WITHOUT ROWID;
   CREATE TABLE image_tags (key TEXT PRIMARY KEY, repository TEXT NOT NULL, name TEXT NOT NULL, image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE) STRICT, WITHOUT ROWID;
   CREATE TABLE image_base_archives (file TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL) STRICT, WITHOUT ROWID;`,
  'ALTER TABLE image_layers ADD COLUMN content_bytes INTEGER',
];

/** Every change is on the disk before it is told: what a client knows of an image outlives a power cut. */
export class ImageRecords {
  readonly #rows: Rows;
  readonly #descriptions: ImageDescriptions;
  readonly #images = new Map<ImageId, Image>();

  constructor(rows: Rows, descriptions: ImageDescriptions) {
    this.#rows = rows;
    this.#descriptions = descriptions;
    rows.migrate('images', migrations);
    for (const { id } of rows.all<{ id: ImageId }>('SELECT id FROM images')) this.#refresh(id);
  }

  /** All that `work` writes, or nothing. On the disk before this returns. */
  together<T>(work: () => T): T {
    return this.#rows.transaction(work, { durable: true });
  }

  /** The same of what makes room. */
  makingRoom<T>(work: () => T): T {
    return this.#rows.makingRoom(() => this.together(work));
  }

  /** Makes good what a crash, or an earlier version, has left without a description. */
  ensureDescribed(): void {
    for (const id of this.#images.keys()) this.#descriptions.ensure(id, this.#described(id));
  }

  list(): Image[] {
    return [...this.#images.values()];
  }

  get(id: ImageId): Image | undefined {
    return this.#images.get(id);
  }

  /** By name and tag, without regard to case. */
  byReference(reference: Reference): Image | undefined {
    const row = this.#rows.get<{ image: ImageId }>(
      'SELECT image FROM image_tags WHERE key = ?',
      referenceKey(reference),
    );
    return row === undefined ? undefined : this.#images.get(row.image);
  }

  /** The name as it was given when the image was tagged. */
  tagName(reference: Reference): string | undefined {
    return this.#rows.get<{ name: string }>('SELECT name FROM image_tags WHERE key = ?', referenceKey(reference))?.name;
  }

  /** Every tag of one repository. */
  tagsOf(reference: Reference): { name: string; image: ImageId }[] {
    return this.#rows.all(
      'SELECT name, image FROM image_tags WHERE repository = ? ORDER BY key',
      repositoryKey(reference),
    );
  }

  byPrefix(prefix: string): Image[] {
    return this.list().filter((image) => image.id.startsWith(`sha256:${prefix}`));
  }

  /** The configuration, to the byte. */
  config(id: ImageId): Buffer {
    const row = this.#rows.get<{ config: Uint8Array }>('SELECT config FROM images WHERE id = ?', id);
    return Buffer.from(row!.config);
  }

  /**
   * Adds an image whose layers are there, and its tags; a tag that named another image is moved. True when the image is
   * new.
   */
  add(config: Buffer, parent: string, tags: readonly Reference[]): { image: Image; added: boolean } {
    const { id, diffIds } = readImage(config);
    const moved = new Set<ImageId>();
    return this.together(() => {
      const added =
        this.#rows.run(
          'INSERT INTO images (id, config, parent) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
          id,
          config,
          parent,
        ) > 0;
      if (added)
        for (const [position, diffId] of diffIds.entries())
          this.#rows.run('INSERT INTO image_layer_use VALUES (?, ?, ?)', id, position, diffId);
      for (const tag of tags) {
        const before = this.byReference(tag);
        if (before !== undefined && before.id !== id) moved.add(before.id);
        this.#rows.run(
          'INSERT INTO image_tags VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET name = excluded.name, image = excluded.image',
          referenceKey(tag),
          repositoryKey(tag),
          familiarName(tag),
          id,
        );
      }
      for (const changed of moved) this.#change(changed);
      return { image: this.#change(id)!, added };
    });
  }

  tag(id: ImageId, tag: Reference): Image {
    return this.add(this.config(id), this.#images.get(id)!.parent, [tag]).image;
  }

  untag(name: string, key: string): void {
    this.together(() => {
      const row = this.#rows.get<{ image: ImageId }>('SELECT image FROM image_tags WHERE key = ?', key);
      this.#rows.run('DELETE FROM image_tags WHERE key = ? AND name = ?', key, name);
      if (row !== undefined) this.#change(row.image);
    });
  }

  /** Its files may be deleted afterwards, hence durable. */
  remove(id: ImageId): void {
    this.together(() => {
      this.#rows.run('DELETE FROM images WHERE id = ?', id);
      this.#rows.afterCommit('remember', () => this.#images.delete(id));
      this.#rows.afterCommit('tell', () => this.#descriptions.remove(id));
    });
  }

  layer(diffId: Digest): StoredLayer | undefined {
    return this.#rows.get<StoredLayer>(
      'SELECT diff_id AS diffId, blob, compression, blob_bytes AS blobBytes, size_bytes AS sizeBytes, content_bytes AS contentBytes FROM image_layers WHERE diff_id = ?',
      diffId,
    );
  }

  addLayer(layer: StoredLayer): void {
    this.#rows.run(
      'INSERT INTO image_layers (diff_id, blob, compression, blob_bytes, size_bytes, content_bytes) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
      layer.diffId,
      layer.blob,
      layer.compression,
      layer.blobBytes,
      layer.sizeBytes,
      layer.contentBytes ?? null,
    );
  }

  layers(): StoredLayer[] {
    return this.#rows.all(
      'SELECT diff_id AS diffId, blob, compression, blob_bytes AS blobBytes, size_bytes AS sizeBytes, content_bytes AS contentBytes FROM image_layers',
    );
  }

  unusedLayers(): StoredLayer[] {
    return this.#rows.all(
      'SELECT diff_id AS diffId, blob, compression, blob_bytes AS blobBytes, size_bytes AS sizeBytes, content_bytes AS contentBytes FROM image_layers WHERE diff_id NOT IN (SELECT diff_id FROM image_layer_use)',
    );
  }

  removeLayers(diffIds: readonly Digest[]): void {
    this.makingRoom(() =>
      diffIds.forEach((diffId) => this.#rows.run('DELETE FROM image_layers WHERE diff_id = ?', diffId)),
    );
  }

  baseArchive(file: string): { stamp: string; digest: string } | undefined {
    return this.#rows.get('SELECT stamp, digest FROM image_base_archives WHERE file = ?', file);
  }

  setBaseArchive(file: string, stamp: string, digest: string): void {
    this.#rows.run(
      'INSERT INTO image_base_archives VALUES (?, ?, ?) ON CONFLICT (file) DO UPDATE SET stamp = excluded.stamp, digest = excluded.digest',
      file,
      stamp,
      digest,
    );
  }

  /** What the rows say of an image; remembered when they are committed. */
  #refresh(id: ImageId): Image | undefined {
    const image = this.#read(id);
    this.#rows.afterCommit('remember', () => {
      if (image === undefined) this.#images.delete(id);
      else this.#images.set(id, image);
    });
    return image;
  }

  #read(id: ImageId): Image | undefined {
    const row = this.#rows.get<{ config: Uint8Array; parent: string }>(
      'SELECT config, parent FROM images WHERE id = ?',
      id,
    );
    if (row === undefined) return undefined;
    const tags = this.#rows
      .all<{ name: string }>('SELECT name FROM image_tags WHERE image = ? ORDER BY key', id)
      .map(({ name }) => name);
    const layerBytes = this.#rows
      .all<{ bytes: number }>(
        'SELECT COALESCE(content_bytes, size_bytes) AS bytes FROM image_layer_use JOIN image_layers USING (diff_id) WHERE image = ? ORDER BY position',
        id,
      )
      .map(({ bytes }) => bytes);
    const sizeBytes = layerBytes.reduce((sum, bytes) => sum + bytes, 0);
    return { ...readImage(Buffer.from(row.config)), tags, sizeBytes, layerBytes, parent: row.parent };
  }

  /** The same, and described. */
  #change(id: ImageId): Image | undefined {
    this.#rows.afterCommit('tell', () => {
      if (this.#images.has(id)) this.#descriptions.write(id, this.#described(id));
    });
    return this.#refresh(id);
  }

  #described(id: ImageId): DescribedImage {
    const { tags, parent, diffIds } = this.#images.get(id)!;
    const layers = [...new Set(diffIds)].map((diffId) => this.layer(diffId)!);
    return { config: this.config(id).toString('base64'), parent, tags, layers };
  }
}
