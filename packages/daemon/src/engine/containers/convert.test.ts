import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { pino } from 'pino';
import {
  isTwofoldError,
  newId,
  TwofoldError,
  type ContainerId,
  type Digest,
  type ImageId,
  type Isolation,
} from '@twofold/contract';
import type { Driver, FileRequest, ToolRun } from '../../drivers/driver.ts';
import type { Images } from '../../images/images.ts';
import type { Settings } from '../../settings.ts';
import { LostAndFound } from '../../state/lost-and-found.ts';
import { openDatabase } from '../../state/database.ts';
import type { ContainerLife } from '../engine.ts';
import { EventLog } from '../events.ts';
import { sealedDirectory, writableDirectory } from '../places.ts';
import type { Room } from '../room.ts';
import { convertContainer, planFor, sweepConversions } from './convert.ts';
import { Presences } from './presence.ts';
import { ContainerRecords, type StoredContainer } from './records.ts';

/**
 * Drivers and images over plain files: a writable layer of a kind is one file of words that were written, and so is a
 * sealed layer.
 */
class World {
  readonly root = mkdtempSync(join(tmpdir(), 'twofold-convert-'));
  readonly settings = {
    dataRoot: this.root,
    runRoot: this.root,
    defaultIsolation: 'process',
    machine: { memoryBytes: 2 << 30, cpus: 2 },
  } as Settings;
  readonly id = newId<ContainerId>();
  /** The step at which the daemon is killed. */
  killedAt = Infinity;
  steps = 0;
  layers = 0;
  room: Room;

  constructor() {
    this.room = this.open();
    this.room.records.insert({
      id: this.id,
      name: 'demo',
      isolation: 'process',
      requestedIsolation: 'default',
      image: 'sha256:1' as ImageId,
      imageName: 'test',
      config: {},
      hostConfig: {},
      sealedLayers: [],
      life: { at: 'created', error: '', exitCode: 0 } as ContainerLife,
      machine: null,
      accelerator: '',
      diffIds: [],
      execIds: [],
      networking: 'none',
      adapters: [],
      restartCount: 0,
      created: '',
      logPath: '',
      stoppedByUser: false,
    } satisfies StoredContainer);
    mkdirSync(this.writable, { recursive: true });
  }

  get writable(): string {
    return writableDirectory(this.settings, this.id);
  }

  get record(): StoredContainer {
    return this.room.records.need(this.id);
  }

  /** A daemon on what is on the disk. */
  open(): Room {
    const database = openDatabase(join(this.root, 'state.db'));
    const drivers = (['process', 'hyperv'] as const).map((isolation) => this.driver(isolation));
    const log = pino({ level: 'silent' });
    return (this.room = {
      settings: this.settings,
      records: new ContainerRecords(database, () => undefined),
      events: new EventLog(database, log),
      together: (work: () => unknown, options: object) => database.transaction(work, options),
      makingRoom: (work: () => unknown) => work(),
      presences: new Presences(),
      lost: new LostAndFound(this.root),
      images: this.images(),
      log,
      networks: { endpointsOf: () => [] },
      specifications: { check: () => undefined },
      closing: new AbortController().signal,
      driver: (isolation: Isolation) => drivers.find((driver) => driver.isolation === isolation)!,
      drivers: () => drivers,
    } as unknown as Room);
  }

  step(): void {
    if (++this.steps === this.killedAt) throw new Error('killed');
  }

  driver(isolation: Isolation): Driver {
    const file = join(this.writable, isolation);
    const content = (request: FileRequest) => {
      const words = existsSync(file) ? readFileSync(file, 'utf8') : '';
      return request.verb === 'changes'
        ? words
            .split(' ')
            .filter(Boolean)
            .map((word) => `A /${word}\0`)
            .join('')
        : words;
    };
    return {
      isolation,
      accelerator: isolation === 'hyperv' ? 'tcg' : '',
      releaseLayers: async () => undefined,
      hasWritable: async () => existsSync(file),
      discardWritable: async (_: string, keep?: (path: string) => void) => {
        this.step();
        if (existsSync(file)) keep?.(file);
        rmSync(file, { force: true });
        this.step();
      },
      filesAtRest: async (_: unknown, request: FileRequest): Promise<ToolRun> => {
        this.step();
        return {
          stdin: new PassThrough().resume(),
          stdout: (async function* () {
            yield Buffer.from(content(request));
          })(),
          done: Promise.resolve(),
          [Symbol.asyncDispose]: async () => undefined,
        };
      },
    } as Partial<Driver> as Driver;
  }

  images(): Images {
    return {
      layers: () => [],
      list: () => [],
      seal: async (diff, directory) => {
        const path = join(directory, `${this.layers++}.erofs`);
        const words = await text(diff);
        writeFileSync(path, words.slice(0, 1));
        this.step();
        writeFileSync(path, words);
        this.step();
        return { path, name: `l${this.layers}`, diffId: 'sha256:2' as Digest, sizeBytes: words.length };
      },
      sealedChanges: async () => Buffer.alloc(0),
      mergeSealed: async (_image, layers, directory) => {
        const path = join(directory, `${this.layers++}.erofs`);
        this.step();
        writeFileSync(path, layers.map((layer) => readFileSync(layer.path, 'utf8')).join(''));
        this.step();
        return { path, name: `l${this.layers}`, diffId: 'sha256:3' as Digest, sizeBytes: 1 };
      },
    } as Partial<Images> as Images;
  }

  write(word: string): void {
    const file = join(this.writable, this.record.isolation);
    writeFileSync(file, `${existsSync(file) ? readFileSync(file, 'utf8') : ''}${word} `);
  }

  /** What the container would see. */
  seen(): string {
    const { sealedLayers, isolation } = this.record;
    const file = join(this.writable, isolation);
    return (
      sealedLayers.map(({ path }) => readFileSync(path, 'utf8')).join('') +
      (existsSync(file) ? readFileSync(file, 'utf8') : '')
    );
  }

  leftovers(): string[] {
    const directory = sealedDirectory(this.settings, this.id);
    const sealed = existsSync(directory)
      ? readdirSync(directory).filter(
          (name) =>
            !this.record.sealedLayers.some((layer) =>
              [layer.path, `${layer.path}.changes`].includes(join(directory, name)),
            ),
        )
      : [];
    return [...sealed, ...readdirSync(this.writable).filter((name) => name !== this.record.isolation)];
  }
}

const never = new AbortController().signal;
let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => rmSync(world.root, { recursive: true }));
const convert = (to: 'default' | Isolation) => convertContainer(world.room, world.id, to, never);

describe('a conversion', () => {
  it('keeps what was written, to and fro, with few layers and nothing left over', async () => {
    let expected = '';
    for (let turn = 0; turn < 25; turn++) {
      world.write(`w${turn}`);
      expected += `w${turn} `;
      await convert(world.record.isolation === 'process' ? 'hyperv' : 'process');
      assert.equal(world.seen(), expected);
      assert.ok(world.record.sealedLayers.length <= 8);
      assert.deepEqual(world.leftovers(), []);
    }
    assert.deepEqual(
      [world.record.isolation, world.record.requestedIsolation, world.record.accelerator],
      ['hyperv', 'hyperv', 'tcg'],
    );
  });

  it('loses nothing wherever the daemon is killed, and the next one takes away what was left', async () => {
    for (let killedAt = 1; ; killedAt++) {
      rmSync(world.root, { recursive: true });
      world = new World();
      world.write('before');
      await convert('hyperv');
      for (let turn = 0; turn < 8; turn++) {
        world.write(`w${turn}`);
        if (turn < 7) await convert(world.record.isolation === 'process' ? 'hyperv' : 'process');
      }
      const expected = world.seen();
      const from = world.record.isolation;
      world.steps = 0;
      world.killedAt = killedAt;
      await convert(from === 'process' ? 'hyperv' : 'process').catch(() => undefined);
      const done = world.steps < killedAt;
      world.killedAt = Infinity;
      world.open();
      await sweepConversions(world.room);
      assert.equal(world.seen(), expected, `killed at step ${killedAt}`);
      assert.deepEqual(world.leftovers(), [], `killed at step ${killedAt}`);
      if (done) break;
    }
  });

  it('that the row does not know of, as after a restored database, loses nothing that was written after it', async () => {
    world.write('before');
    const { isolation, sealedLayers } = world.record;
    await convert('hyperv');
    world.write('after');
    world.room.records.change(world.id, { isolation, sealedLayers });
    await sweepConversions(world.room);
    assert.deepEqual(world.leftovers(), []);
    const { directory } = new LostAndFound(world.root);
    const files = readdirSync(directory, { recursive: true, encoding: 'utf8' });
    const kept = files.find((path) => path.endsWith('/hyperv')) ?? assert.fail(files.join());
    assert.match(readFileSync(join(directory, kept), 'utf8'), /after/);
  });

  it('of a container that wrote nothing adds no layer', async () => {
    await convert('hyperv');
    assert.deepEqual([world.record.isolation, world.record.sealedLayers], ['hyperv', []]);
  });

  it('to what it is already only notes that it was asked for', async () => {
    const plan = await convert('process');
    assert.deepEqual(
      [world.record.requestedIsolation, world.record.isolation, plan.carries],
      ['process', 'process', []],
    );
  });

  it('to the default goes to the isolation of the settings, and asks for none by name', async () => {
    await convert('hyperv');
    await convert('default');
    assert.deepEqual(
      [world.record.requestedIsolation, world.record.isolation, world.record.hostConfig.Isolation],
      ['default', 'process', 'default'],
    );
  });

  it('is refused while the container runs, and where it cannot be kept, with the reason', async () => {
    world.room.records.change(world.id, { life: { at: 'running', pid: 1, startedAt: 0 } });
    await assert.rejects(convert('hyperv'), (error) => isTwofoldError(error, 'container-running'));
    assert.match(planFor(world.room, world.record, 'hyperv').refusals.join(), /running/);
    world.room.records.change(world.id, { life: { at: 'created', error: '', exitCode: 0 } as ContainerLife });
    world.room = {
      ...world.room,
      specifications: {
        ...world.room.specifications,
        check: () => {
          throw new TwofoldError('unsupported', '--pid host is not possible');
        },
      },
    };
    await assert.rejects(
      convert('hyperv'),
      (error) => isTwofoldError(error, 'unsupported') && error.message.includes('--pid host'),
    );
    assert.equal(world.record.isolation, 'process');
  });
});
