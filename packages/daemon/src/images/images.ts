// Owns what the rest of the house knows of images. Layers, blobs and archives are this room's own business.

import type { Readable, Writable } from 'node:stream';
import type { Digest, ImageConfig, ImageId } from '@twofold/contract';

/** A layer as drivers want it: driver.ts's RootfsLayer has the same shape. */
export interface ImageLayer {
  readonly path: string;
  readonly name: string;
}

export interface Image {
  readonly id: ImageId;
  /** `nanoserver:latest`, familiar form, in the case they were given. */
  readonly tags: readonly string[];
  /** RFC 3339. */
  readonly created: string;
  readonly architecture: string;
  readonly os: string;
  readonly author: string;
  readonly comment: string;
  readonly config: ImageConfig;
  /** Uncompressed digests, base first. */
  readonly diffIds: readonly Digest[];
  /** Of the files in its layers, each layer counted as often as it is there. */
  readonly sizeBytes: number;
  /** The same for each of `diffIds`. */
  readonly layerBytes: readonly number[];
  readonly history: readonly {
    created?: string;
    created_by?: string;
    comment?: string;
    empty_layer?: boolean;
    author?: string;
  }[];
  readonly parent: string;
}

export interface ImageEvent {
  readonly action: 'load' | 'import' | 'tag' | 'untag' | 'delete';
  readonly id: ImageId;
  readonly reference: string;
}

/** In the transaction that changes the rows it tells of. */
export type Tell = (action: ImageEvent['action'], id: ImageId, reference: string) => void;

/** A layer that belongs to one container alone. */
export interface SealedLayer {
  readonly path: string;
  readonly name: string;
  readonly diffId: Digest;
  /** Of the EROFS file. */
  readonly sizeBytes: number;
  /** Of the files in it; absent in rows of earlier versions. */
  readonly contentBytes?: number;
}

/** Streams that are given stay their owner's: they are read, and destroyed only when `signal` fires. */
export interface Images {
  /**
   * Finds by name (without regard to case; tag defaults to latest), by id or by a unique prefix of one (with or without
   * `sha256:`). Throws `image-not-found` (`No such image: X:latest`), `ambiguous-prefix`.
   */
  find(reference: string): Image;
  list(): Image[];
  /** Layers top first, each once, for a RootfsPlan. */
  layers(id: ImageId): ImageLayer[];
  /**
   * `docker load`: a docker archive or OCI layout tar, optionally compressed. Resolves with what was loaded; `progress`
   * is told of its layers.
   */
  load(archive: Readable, progress: (line: string) => Promise<void> | void, signal: AbortSignal): Promise<Image[]>;
  /** `docker save`: an archive that both docker and OCI tools load. */
  save(references: readonly string[], out: Writable, signal: AbortSignal): Promise<void>;
  /**
   * `docker import`: one layer from a tar of a root file system. `changes` are Dockerfile instructions (CMD,
   * ENTRYPOINT, ENV, …).
   */
  import(
    tar: Readable,
    options: { reference: string | null; changes: readonly string[]; message: string },
    signal: AbortSignal,
  ): Promise<Image>;
  /**
   * `docker commit`: the parent's layers, the container's sealed layers, and one more from an OCI layer tar; those that
   * hold nothing are left out. `config` is what the container runs with; `changes` are Dockerfile instructions.
   */
  commit(
    parent: ImageId,
    sealed: readonly SealedLayer[],
    diff: Readable,
    options: {
      reference: string | null;
      changes: readonly string[];
      config: ImageConfig;
      message: string;
      author: string;
      createdBy: string;
    },
    signal: AbortSignal,
  ): Promise<Image>;
  /** Throws `invalid-argument` for a reference that can't be. */
  tag(source: string, target: string): Image;
  /**
   * Untags, and deletes when nothing names it any more. `inUse` says which container (a short id) holds an image:
   * `conflict` unless forced (and even then while it runs).
   */
  remove(
    reference: string,
    options: { force: boolean; inUse: (id: ImageId) => { container: string; running: boolean } | null },
  ): { untagged: string[]; deleted: string[] };
  /**
   * The conversion's private layer of one container: a private layer tar becomes an EROFS file under `directory`. Null,
   * and no file, for a tar that holds nothing.
   */
  seal(diff: Readable, directory: string, signal: AbortSignal): Promise<SealedLayer | null>;
  /**
   * One private layer under `directory` that is what `layers` (the lowest first) of a container of that image are
   * together; those stay.
   */
  mergeSealed(
    image: ImageId,
    layers: readonly SealedLayer[],
    directory: string,
    signal: AbortSignal,
  ): Promise<SealedLayer | null>;
  /**
   * What the last of `layers` (the lowest first) changed against those below it and the image: NUL-terminated `A
   * /path`, `C /path`, `D /path`.
   */
  sealedChanges(image: ImageId, layers: readonly SealedLayer[], signal: AbortSignal): Promise<Buffer>;
  /** Loads the built-in base images from the library where the store lacks them. */
  ensureBaseImages(signal: AbortSignal): Promise<void>;
  /**
   * The listener is called in the transaction that changes the rows: what it writes is committed with them, and what it
   * throws undoes them.
   */
  onEvent(listener: (event: ImageEvent) => void): void;
}
