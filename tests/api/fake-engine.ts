// Owns an engine in memory for the tests of the front door: containers are tiny programs in this process, one image,
// one switch. It keeps the promises of engine.ts as far as the front door can see them; the engine's own tests are
// elsewhere.

import { PassThrough, type Readable, Writable } from 'node:stream';
import {
  type ContainerConfig,
  type ContainerId,
  type ExecId,
  type ImageId,
  type Isolation,
  type NetworkId,
  newAdapterId,
  newId,
  TwofoldError,
} from '@twofold/contract';
import type {
  Adapter,
  AdapterChange,
  Attachment,
  ContainerRecord,
  Engine,
  EngineEvent,
  ExecRecord,
  LogLine,
} from '../../packages/daemon/src/engine/engine.ts';
import type { Image } from '../../packages/daemon/src/images/images.ts';

type Chunk = { stream: 'stdout' | 'stderr'; data: Buffer };

/** A program's life: output goes to everyone attached and to the log; the exit code comes once. */
class Process {
  readonly stdin = new PassThrough();
  readonly log: LogLine[] = [];
  readonly taps = new Set<PassThrough>();
  readonly exit = Promise.withResolvers<number>();
  exited: number | null = null;
  size = { rows: 0, columns: 0 };

  async write(stream: 'stdout' | 'stderr', text: string | Buffer): Promise<void> {
    const data = Buffer.from(text);
    this.log.push({ stream, time: new Date().toISOString().replace('Z', '000000Z'), data });
    for (const tap of this.taps)
      if (!tap.write({ stream, data }))
        await Promise.race([
          new Promise((resolve) => tap.once('drain', resolve)),
          new Promise((resolve) => tap.once('close', resolve)),
        ]);
  }

  end(code: number): void {
    if (this.exited !== null) return;
    this.exited = code;
    for (const tap of this.taps) tap.end();
    this.exit.resolve(code);
  }

  attach(want: { stdin: boolean }, tty: boolean, left: () => void): Attachment {
    const tap = new PassThrough({ objectMode: true, highWaterMark: 16 });
    tap.setMaxListeners(0);
    if (this.exited !== null) tap.end();
    this.taps.add(tap);
    const stdin = this.stdin;
    return {
      tty,
      stdin: want.stdin
        ? new Writable({
            highWaterMark: 64 << 10,
            write: (chunk, _encoding, done) => {
              if (stdin.write(chunk)) done();
              else stdin.once('drain', done);
            },
            final: (done) => {
              stdin.end();
              done();
            },
          })
        : null,
      output: tap as AsyncIterable<Chunk>,
      [Symbol.asyncDispose]: async () => {
        this.taps.delete(tap);
        tap.destroy();
        left();
      },
    };
  }
}

/** The words that containers understand. */
async function run(process: Process, [word = '', ...words]: readonly string[]): Promise<void> {
  switch (word) {
    case 'true':
      return process.end(0);
    case 'exit':
      return process.end(Number(words[0]));
    case 'echo':
      await process.write('stdout', `${words.join(' ')}\n`);
      return process.end(0);
    case 'both':
      await process.write('stdout', 'out\n');
      await process.write('stderr', 'err\n');
      return process.end(0);
    case 'sleep':
      return;
    case 'tick': {
      const timer = setInterval(() => void process.write('stdout', 'tick\n'), 20);
      timer.unref();
      void process.exit.promise.then(() => clearInterval(timer));
      return;
    }
    case 'cat':
      for await (const chunk of process.stdin) await process.write('stdout', chunk as Buffer);
      return process.end(0);
    case 'count': {
      let total = 0;
      for await (const chunk of process.stdin) total += (chunk as Buffer).length;
      await process.write('stdout', `${total}\n`);
      return process.end(0);
    }
    case 'deaf':
      process.stdin.destroy();
      return;
    case 'flood':
      for (let left = Number(words[0]); left > 0; left -= 65_536)
        await process.write('stdout', Buffer.alloc(Math.min(left, 65_536), 'x'));
      return process.end(0);
    case 'late':
      for await (const chunk of process.stdin) void chunk;
      await process.write('stdout', 'after the end of input\n');
      return process.end(0);
    default:
      return;
  }
}

/** On the one switch, or on none. */
function adapterOf({
  name = 'Network Adapter',
  network = '',
  address = '',
  mac = '',
  aliases = [],
}: AdapterChange): Adapter {
  return {
    id: newAdapterId(),
    name,
    network: network === '' ? null : { id: '2'.repeat(64) as NetworkId, name: network },
    address,
    mac,
    aliases,
    lease:
      network === ''
        ? null
        : { name: 'eth0', address: '10.0.0.2', prefixLength: 16, gateway: '10.0.0.1', mac: '02:42:0a:00:00:02' },
  };
}

const programs = ['true', 'exit', 'echo', 'both', 'sleep', 'tick', 'cat', 'count', 'deaf', 'flood', 'late'];

export interface Fake {
  readonly engine: Engine;
  /** How many attachments are held at present. */
  held(): number;
  /** What create was given last. */
  lastCreate(): Parameters<Engine['containers']['create']>[0] | null;
  readonly received: { path: string; bytes: number }[];
}

export function fakeEngine(): Fake {
  type Cell = {
    record: ContainerRecord;
    process: Process;
    gone: PromiseWithResolvers<number>;
    started: PromiseWithResolvers<void>;
  };
  const cells = new Map<string, Cell>();
  const execs = new Map<string, { record: ExecRecord; process: Process }>();
  const findExec = (id: string): ExecRecord => {
    const found = execs.get(id);
    if (found === undefined) throw new TwofoldError('exec-not-found', `No such exec instance: ${id}`);
    return found.record;
  };
  const events: EngineEvent[] = [];
  const listeners = new Set<PassThrough>();
  const received: { path: string; bytes: number }[] = [];
  let held = 0;
  let last: Parameters<Engine['containers']['create']>[0] | null = null;
  const never = () => {
    throw new TwofoldError('unsupported', 'The engine of these tests cannot do that.');
  };
  const tell = (action: string, record: ContainerRecord) => {
    const event: EngineEvent = {
      type: 'container',
      action,
      actor: record.id,
      attributes: { name: record.name, image: record.imageName },
      timeNano: BigInt(Date.now()) * 1_000_000n + 7n,
    };
    events.push(event);
    for (const listener of listeners) listener.write(event);
  };
  const image: Image = {
    id: `sha256:${'1'.repeat(64)}` as ImageId,
    tags: ['nanoserver:latest'],
    created: '2026-01-01T00:00:00Z',
    architecture: 'amd64',
    os: 'linux',
    author: '',
    comment: '',
    config: { Cmd: ['cmd'], Env: ['PATH=/bin'], Labels: { kind: 'base' } },
    diffIds: [],
    sizeBytes: 1000,
    layerBytes: [1000],
    history: [{ created_by: 'base' }],
    parent: '',
  };
  const findImage = (reference: string): Image => {
    const name = reference.toLowerCase();
    if (
      name === 'nanoserver' ||
      name === 'nanoserver:latest' ||
      image.id.replace('sha256:', '').startsWith(name.replace('sha256:', ''))
    )
      return image;
    throw new TwofoldError(
      'image-not-found',
      `No such image: ${/[:@][^/]*$/.test(reference) ? reference : `${reference}:latest`}`,
    );
  };
  const cellOf = (reference: string): Cell => {
    const name = reference.replace(/^\//, '');
    const found = [...cells.values()].find(({ record }) => record.name === name || record.id.startsWith(name));
    if (found === undefined) throw new TwofoldError('container-not-found', `No such container: ${reference}`);
    return found;
  };
  const find = (reference: string) => cellOf(reference).record;
  const live = (cell: Cell, life: ContainerRecord['life']) => {
    cell.record = { ...cell.record, life };
  };
  const words = (config: ContainerConfig) => [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  const mustRun = (cell: Cell) => {
    if (cell.record.life.at !== 'running')
      throw new TwofoldError('container-not-running', `Container ${cell.record.name} is not running`);
  };
  const containers: Engine['containers'] = {
    async create(command) {
      last = command;
      const found = findImage(command.config.Image ?? '');
      const isolation = (command.hostConfig.Isolation ?? '').toLowerCase();
      if (!['', 'default', 'process', 'hyperv'].includes(isolation))
        throw new TwofoldError(
          'invalid-argument',
          `invalid isolation "${isolation}": it is default, process or hyperv`,
        );
      const id = newId<ContainerId>();
      const name = command.name ?? `c${cells.size + 1}`;
      for (const cell of cells.values())
        if (cell.record.name === name)
          throw new TwofoldError(
            'name-taken',
            `Conflict. The container name "/${name}" is already in use by container "${cell.record.id}". You have to remove (or rename) that container to be able to reuse that name.`,
          );
      const record: ContainerRecord = {
        id,
        name,
        created: new Date().toISOString().replace('Z', '000000Z'),
        isolation: isolation === 'hyperv' ? 'hyperv' : 'process',
        requestedIsolation: (isolation || 'default') as 'default' | Isolation,
        image: found.id,
        imageName: command.config.Image!,
        config: { ...command.config, Cmd: command.config.Cmd ?? found.config.Cmd! },
        hostConfig: command.hostConfig,
        life: { at: 'created', error: '', exitCode: 0 },
        restartCount: 0,
        networking: 'adapters',
        adapters: [adapterOf({ network: 'NAT' })],
        sealedLayers: [],
        diffIds: [],
        machine: null,
        accelerator: '',
        logPath: '/tmp/log',
        execIds: [],
      };
      cells.set(id, {
        record,
        process: new Process(),
        gone: Promise.withResolvers(),
        started: Promise.withResolvers(),
      });
      tell('create', record);
      return { id, warnings: [] };
    },
    find,
    list: () => [...cells.values()].map(({ record }) => record),
    size: async () => 42,
    async start(reference) {
      const cell = cellOf(reference);
      if (cell.record.life.at === 'running') throw new TwofoldError('already-in-that-state', 'It runs already.');
      const list = words(cell.record.config);
      if (!programs.includes(list[0] ?? '') && cell.record.hostConfig.AutoRemove === true)
        void containers.remove(cell.record.id, { force: true, volumes: false }, AbortSignal.abort());
      if (list[0] === '/etc') throw new TwofoldError('command-not-executable', 'Could not start "/etc".');
      if (!programs.includes(list[0] ?? ''))
        throw new TwofoldError(
          'command-not-found',
          `failed to create task for container: exec: "${list[0]}": executable file not found in $PATH`,
        );
      if (cell.process.exited !== null) cell.process = new Process();
      const { process } = cell;
      live(cell, { at: 'running', pid: 4242, startedAt: Date.now() });
      tell('start', cell.record);
      void process.exit.promise.then((code) => {
        live(cell, {
          at: 'exited',
          startedAt: Date.now(),
          finishedAt: Date.now(),
          exitCode: code,
          oomKilled: false,
          error: '',
        });
        tell('die', cell.record);
        if (cell.record.hostConfig.AutoRemove === true)
          void containers.remove(cell.record.id, { force: true, volumes: false }, AbortSignal.abort());
      });
      void run(process, list);
      return [
        { name: 'sandbox', beganMs: 0.5, tookMs: 8.2, note: 'clone' },
        { name: 'total', beganMs: 0, tookMs: 10 },
      ];
    },
    async stop(reference) {
      const cell = cellOf(reference);
      if (cell.record.life.at !== 'running') throw new TwofoldError('already-in-that-state', 'It is stopped already.');
      cell.process.end(143);
      await cell.process.exit.promise;
    },
    restart: async (reference) => {
      const cell = cellOf(reference);
      cell.process.end(143);
      await cell.process.exit.promise;
      await containers.start(reference, AbortSignal.abort());
    },
    async kill(reference, signal) {
      const cell = cellOf(reference);
      mustRun(cell);
      if (signal === 'SIGKILL' || signal === 'KILL' || signal === '9') cell.process.end(137);
      else await cell.process.write('stdout', `${signal}\n`);
    },
    pause: async (reference) => {
      const cell = cellOf(reference);
      mustRun(cell);
      live(cell, { at: 'paused', pid: 4242, startedAt: Date.now() });
    },
    unpause: async (reference) => {
      const cell = cellOf(reference);
      live(cell, { at: 'running', pid: 4242, startedAt: Date.now() });
    },
    rename: async (reference, name) => {
      const cell = cellOf(reference);
      cell.record = { ...cell.record, name };
    },
    async remove(reference, { force }) {
      const cell = cellOf(reference);
      if (cell.record.life.at === 'running' && !force)
        throw new TwofoldError(
          'container-running',
          `cannot remove container "${cell.record.name}": container is running: stop the container before removing or force remove`,
        );
      cell.process.end(137);
      cells.delete(cell.record.id);
      cell.gone.resolve(cell.process.exited ?? 0);
      tell('destroy', cell.record);
    },
    async wait(reference, condition, signal) {
      const cell = cellOf(reference);
      const left = Promise.withResolvers<number>();
      signal.addEventListener('abort', () => left.reject(new TwofoldError('cancelled', 'The wait was cancelled.')), {
        once: true,
      });
      if (condition === 'not-running' && cell.record.life.at !== 'running')
        return { statusCode: cell.process.exited ?? 0 };
      return {
        statusCode: await Promise.race([
          condition === 'removed' ? cell.gone.promise : cell.process.exit.promise,
          left.promise,
        ]),
      };
    },
    async attach(reference, want) {
      const cell = cellOf(reference);
      held += 1;
      return cell.process.attach(
        { stdin: want.stdin && cell.record.config.OpenStdin === true },
        cell.record.config.Tty === true,
        () => {
          held -= 1;
        },
      );
    },
    async resize(reference, size) {
      const cell = cellOf(reference);
      mustRun(cell);
      cell.process.size = size;
      await cell.process.write('stdout', `size ${size.rows}x${size.columns}\r\n`);
    },
    async *logs(reference, options, signal) {
      const { process } = cellOf(reference);
      const fits = (line: LogLine) => (line.stream === 'stdout' ? options.stdout : options.stderr);
      const old = process.log.filter(fits);
      yield* options.tail === 'all' ? old : options.tail === 0 ? [] : old.slice(-options.tail);
      let seen = process.log.length;
      while (options.follow && !signal.aborted) {
        while (seen < process.log.length) yield process.log[seen++]!;
        if (process.exited !== null) return;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    top: async () => ({ titles: ['PID', 'CMD'], processes: [['4242', 'csrss']] }),
    changes: async () => [
      { path: '/new', kind: 'added' },
      { path: '/etc', kind: 'modified' },
    ],
    async statPath(_reference, path) {
      if (path.includes('nothing'))
        throw new TwofoldError('path-not-found', `Could not find the file ${path} in container`);
      return {
        name: path.split('/').at(-1) || '/',
        size: 4096,
        mode: path.includes('file') ? 0o644 : 0x80000000 + 0o755,
        mtime: '2026-01-01T00:00:00Z',
        linkTarget: '',
      };
    },
    readArchive: async (reference, path, signal) => ({
      stat: await containers.statPath(reference, path, signal),
      tar: (async function* () {
        yield Buffer.alloc(1024);
      })(),
    }),
    async writeArchive(_reference, path, tar) {
      let bytes = 0;
      for await (const chunk of tar) bytes += (chunk as Buffer).length;
      received.push({ path, bytes });
    },
    export: async () =>
      (async function* () {
        yield Buffer.alloc(2048);
      })(),
    commit: async () => image.id,
    planConversion: (reference, to) => ({
      from: find(reference).isolation,
      to: to === 'default' ? 'process' : to,
      carries: ['What it wrote.'],
      changes: [],
      refusals: [],
    }),
    async preparePowerShell(reference) {
      mustRun(cellOf(reference));
      return { server: 'none', command: ['/bin/sh'], environment: [] };
    },
    async convert(reference, to, signal) {
      const cell = cellOf(reference);
      if (cell.record.life.at === 'running')
        throw new TwofoldError(
          'container-running',
          `Container ${cell.record.name} is running: stop it before it is converted.`,
        );
      const plan = containers.planConversion(reference, to);
      cell.record = { ...cell.record, isolation: plan.to, requestedIsolation: to };
      signal.throwIfAborted();
      return plan;
    },
    async update(reference, { hostConfig }) {
      const cell = cellOf(reference);
      cell.record = { ...cell.record, hostConfig: { ...cell.record.hostConfig, ...hostConfig } };
      return { warnings: [] };
    },
    async addAdapter(reference, wanted) {
      const cell = cellOf(reference);
      const made = adapterOf(wanted);
      cell.record = { ...cell.record, adapters: [...cell.record.adapters, made] };
      return made;
    },
    async changeAdapter(reference, id, change) {
      const cell = cellOf(reference);
      const before =
        cell.record.adapters.find((one) => one.id === id) ??
        (() => {
          throw new TwofoldError('adapter-not-found', `no adapter ${id}`);
        })();
      const after = { ...before, ...adapterOf({ name: before.name, ...change }), id: before.id };
      cell.record = { ...cell.record, adapters: cell.record.adapters.map((one) => (one === before ? after : one)) };
      return after;
    },
    async removeAdapter(reference, id) {
      const cell = cellOf(reference);
      cell.record = { ...cell.record, adapters: cell.record.adapters.filter((one) => one.id !== id) };
    },
    async connect(reference, network, change) {
      await containers.addAdapter(reference, { ...change, network });
    },
    async disconnect(reference, network) {
      const cell = cellOf(reference);
      cell.record = { ...cell.record, adapters: cell.record.adapters.filter((one) => one.network?.name !== network) };
    },
    async prune(fits) {
      const chosen = containers.list().filter(fits);
      for (const record of chosen)
        await containers.remove(record.id, { force: false, volumes: false }, AbortSignal.abort());
      return { deleted: chosen.map((record) => record.id), reclaimedBytes: 0 };
    },
  };
  const engine: Engine = {
    containers,
    execs: {
      async create(container, request) {
        const cell = cellOf(container);
        mustRun(cell);
        const record: ExecRecord = { id: newId<ExecId>(), container: cell.record.id, request, life: { at: 'created' } };
        execs.set(record.id, { record, process: new Process() });
        return record.id;
      },
      find: findExec,
      startable(id) {
        mustRun(cellOf(findExec(id).container));
        return findExec(id);
      },
      async start(id, { detach }) {
        const cell = execs.get(id)!;
        if (cell.record.life.at !== 'created') throw new TwofoldError('conflict', `exec command ${id} has already run`);
        const list = cell.record.request.Cmd ?? [];
        if (!programs.includes(list[0]!)) {
          cell.record = { ...cell.record, life: { at: 'exited', pid: 0, exitCode: 127 } };
          throw new TwofoldError(
            'command-not-found',
            `OCI runtime exec failed: exec: "${list[0]}": executable file not found in $PATH`,
          );
        }
        cell.record = { ...cell.record, life: { at: 'running', pid: 7 } };
        void cell.process.exit.promise.then((exitCode) => {
          cell.record = { ...cell.record, life: { at: 'exited', pid: 7, exitCode } };
        });
        held += detach ? 0 : 1;
        const attachment = detach
          ? null
          : cell.process.attach(
              { stdin: cell.record.request.AttachStdin === true },
              cell.record.request.Tty === true,
              () => {
                held -= 1;
              },
            );
        void run(cell.process, list);
        return attachment;
      },
      resize: async (id, size) => {
        execs.get(id)!.process.size = size;
      },
    },
    images: {
      find: findImage,
      list: () => [image],
      layers: () => [],
      load: async (archive: Readable, progress: (line: string) => void) => {
        let bytes = 0;
        for await (const chunk of archive) bytes += (chunk as Buffer).length;
        if (bytes === 0) throw new TwofoldError('invalid-argument', 'The archive is empty or not a tar archive.');
        progress(`${bytes} bytes`);
        return [image];
      },
      save: async (_references: readonly string[], out: Writable) => {
        out.end(Buffer.alloc(1024));
      },
      import: async (tar: Readable) => {
        for await (const chunk of tar) void chunk;
        return image;
      },
      commit: never,
      seal: never,
      ensureBaseImages: never,
      tag: (source: string) => findImage(source),
      remove: () => ({ untagged: ['nanoserver:latest'], deleted: [] }),
      onEvent: () => undefined,
    } as unknown as Engine['images'],
    networks: {
      list: () => [
        {
          id: '2'.repeat(64) as NetworkId,
          name: 'NAT',
          driver: 'bridge',
          bridge: 'tf0',
          subnet: '10.0.0.0/16',
          gateway: '10.0.0.1',
          ipRange: '',
          options: {},
          labels: {},
          internal: false,
          builtIn: true,
          created: '2026-01-01T00:00:00Z',
        },
      ],
      find: (reference: string) => {
        if (reference.toLowerCase() === 'nat') return engine.networks.list()[0]!;
        throw new TwofoldError('network-not-found', `network ${reference} not found`);
      },
      create: async ({ name }: { name: string }) => ({
        ...engine.networks.list()[0]!,
        name,
        id: '3'.repeat(64) as NetworkId,
      }),
      remove: async () => undefined,
      endpoints: () => [],
    } as unknown as Engine['networks'],
    async *events({ until }, signal) {
      yield* events.slice();
      if (until !== undefined) return;
      const listener = new PassThrough({ objectMode: true });
      listeners.add(listener);
      signal.addEventListener('abort', () => listener.end(), { once: true });
      for await (const event of listener) yield event as EngineEvent;
      listeners.delete(listener);
    },
    stopCompute: async (id) => {
      if (id !== 'ABC') throw new TwofoldError('compute-process-not-found', `No such compute process: ${id}`);
    },
    compute: async () => [{ Id: 'ABC', Name: 'x', Owner: 'VMMS', Type: 'Container', Pid: 1, User: 'abc' }],
    info: () => ({
      id: 'fake',
      defaultIsolation: 'process',
      accelerator: 'tcg',
      cgroupVersion: '2',
      kernelVersion: '6',
      operatingSystem: 'Linux',
      cpus: 2,
      memoryBytes: 1 << 30,
      dataRoot: '/var/lib/twofold',
      logLimits: { bytes: 20 << 20, files: 5 },
      runtimeVersion: 'crun 1',
      warnings: [],
    }),
    pool: () => ({ waiting: 1, wanted: 2 }),
    aids: () => [
      { name: 'VM template', state: 'ready' },
      { name: 'VM parent', state: 'failed', againInMs: 39_500 },
      { name: 'VM pool', state: 'making' },
    ],
    lostThings: async () => [],
    emptyLost: async () => [],
  };
  return { engine, held: () => held, lastCreate: () => last, received };
}
