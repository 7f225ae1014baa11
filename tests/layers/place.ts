// Owns what the tests of layers share: a directory of their own, mounts that go away again, and the telling of a whole
// tree as text.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { runLayerTool } from '../../packages/daemon/src/host/layer-tool.ts';
import { writeLayer, type WrittenLayer } from '../../packages/daemon/src/host/layer-writer.ts';
import { command } from '../support/command.ts';
import { program } from '../support/library.ts';

const repository = join(import.meta.dirname, '../..');
export const tool = program('twofold-layer');
export const cell = program('twofold-cell');
export const reader = join(repository, 'packages/daemon/src/images/erofs/child.ts');

/** A directory under /var/tmp (a disk, unlike some /tmp) and everything mounted in it, gone when disposed. */
export class Place implements AsyncDisposable {
  readonly path = mkdtempSync('/var/tmp/twofold-layers-');
  readonly #mounts: string[] = [];

  constructor() {
    assert.ok(existsSync(tool), `${tool} is not there: npm run setup`);
  }

  at(...names: string[]): string {
    return join(this.path, ...names);
  }

  /** Makes a directory here. */
  directory(...names: string[]): string {
    const path = this.at(...names);
    mkdirSync(path, { recursive: true });
    return path;
  }

  async run(...words: string[]): Promise<string> {
    const result = await command(words[0]!, words.slice(1), { timeoutMs: 30_000, cwd: this.path });
    assert.equal(result.code, 0, `${words.join(' ')}: ${result.stderr}`);
    return result.stdout;
  }

  /** Runs the layer tool, expecting success. */
  async tool(words: readonly [string, ...string[]], input: Buffer = Buffer.alloc(0)): Promise<Buffer> {
    await using run = runLayerTool(tool, words, AbortSignal.timeout(30_000));
    run.stdin.end(input);
    const parts: Buffer[] = [];
    for await (const part of run.stdout) parts.push(part);
    await run.done;
    return Buffer.concat(parts);
  }

  /** Makes `name`.erofs of an archive; fsck.erofs must agree. */
  async layer(
    name: string,
    tar: Buffer | { path: string },
    options: { form?: 'oci' | 'private'; limits?: { entries?: number; bytes?: number; metadataBytes?: number } } = {},
  ): Promise<WrittenLayer & { path: string }> {
    const path = this.at(`${name}.erofs`);
    const source = Buffer.isBuffer(tar) ? Readable.from([tar]) : tar;
    const written = await writeLayer(source, path, {
      cell,
      program: reader,
      form: 'oci',
      signal: AbortSignal.timeout(30_000),
      ...options,
    });
    await this.run('fsck.erofs', path);
    return { ...written, path };
  }

  async mounted(name: string, image: string): Promise<string> {
    const directory = this.directory(`${name}.mounted`);
    await this.tool(['mount', image, directory]);
    this.#mounts.push(directory);
    return directory;
  }

  /** An overlay of `lowers` (top first), below `upper` if given, as Twofold mounts it. */
  async overlay(name: string, lowers: readonly string[], upper?: string): Promise<string> {
    const directory = this.directory(name);
    const above = upper === undefined ? '' : `,upperdir=${upper},workdir=${this.directory(`${name}.work`)}`;
    // A single lower layer without an upper one is not an overlay to the kernel.
    const below = upper === undefined && lowers.length === 1 ? [...lowers, this.directory('empty')] : lowers;
    await this.run(
      'mount',
      '-t',
      'overlay',
      'overlay',
      '-o',
      `lowerdir=${below.join(':')}${above},redirect_dir=off,metacopy=off,index=off`,
      directory,
    );
    this.#mounts.push(directory);
    return directory;
  }

  async unmount(directory: string): Promise<void> {
    await this.run('umount', directory);
    this.#mounts.splice(this.#mounts.indexOf(directory), 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const directory of this.#mounts.toReversed()) await this.run('umount', directory);
    rmSync(this.path, { recursive: true, force: true });
  }
}

export interface TreeOptions {
  /** Hard links are broken by a copy-up, directories' counts differ by file system. */
  readonly links?: boolean;
  readonly times?: boolean;
}

/**
 * Everything that can be seen of a tree, one line each: kind, mode, owner, time to the nanosecond, size, links, target
 * or content, attributes.
 */
export async function tellTree(root: string, { links = true, times = true }: TreeOptions = {}): Promise<string[]> {
  const lines: string[] = [];
  const first = new Map<bigint, string>();
  const visit = (path: Buffer, shown: string): void => {
    const stat = lstatSync(path, { bigint: true });
    const kind = (stat.mode >> 12n).toString(8);
    const facts = [
      shown,
      kind,
      (stat.mode & 0o7777n).toString(8),
      `${stat.uid}:${stat.gid}`,
      times ? String(stat.mtimeNs) : '',
    ];
    if (!stat.isDirectory()) {
      if (links) facts.push(`links ${stat.nlink}`, `same as ${first.get(stat.ino) ?? shown}`);
      if (!first.has(stat.ino)) first.set(stat.ino, shown);
    }
    if (stat.isSymbolicLink()) facts.push(readlinkSync(path, 'latin1'));
    if (stat.isFile()) facts.push(String(stat.size), contentOf(path, Number(stat.size)));
    if (stat.isCharacterDevice() || stat.isBlockDevice()) facts.push(String(stat.rdev));
    lines.push(facts.join(' | '));
    if (!stat.isDirectory()) return;
    for (const name of readdirSync(path, { encoding: 'buffer' }).toSorted((a, b) => Buffer.compare(a, b)))
      visit(Buffer.concat([path, Buffer.from('/'), name]), `${shown}/${name.toString('latin1')}`);
  };
  visit(Buffer.from(root), '.');
  const attributes = await command(
    'getfattr',
    ['-R', '-h', '-d', '-m', '^(user|security\\.capability|system\\.posix)', '-e', 'hex', '.'],
    { cwd: root },
  );
  return [
    ...lines,
    ...attributes.stdout
      .split('\n\n')
      .filter((text) => text !== '')
      .toSorted(),
  ];
}

/** Both trees as tellTree has told them; a failure shows only what differs. */
export function assertSameTree(actual: readonly string[], expected: readonly string[]): void {
  const only = (these: readonly string[], those: readonly string[]) => {
    const known = new Set(those);
    return these
      .filter((line) => !known.has(line))
      .map((line) => line.slice(0, 300))
      .slice(0, 20);
  };
  assert.deepEqual(only(actual, expected), only(expected, actual));
  assert.equal(actual.length, expected.length);
}

function contentOf(path: Buffer, size: number): string {
  if (size > 64 << 20) return 'large';
  return createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16);
}
