// Owns the container verbs. Every method takes a name, an id, a GUID or a unique prefix, and an optional AbortSignal.

import type { Readable } from 'node:stream';
import type {
  ContainerCreateRequest,
  HostConfig,
  Isolation,
  NetworkAdapter,
  NetworkAdapterRequest,
} from '@twofold/contract';
import type { ContainerDetails, ContainerSummary, Conversion, PathStat } from './answers.ts';
import { Execs, type ExecOptions, type ExecSession } from './execs.ts';
import { type Filters, filtersText } from './filters.ts';
import { type OutputChunk, outputOf, Session } from './session.ts';
import { jsonLines, segment, type Transport } from './transport.ts';

export interface Cancellable {
  readonly signal?: AbortSignal;
}

export interface ExitStatus {
  readonly statusCode: number;
  readonly error?: string;
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/** One step of a start; `total` is the whole. Steps overlap. */
export interface StartStep {
  readonly name: string;
  readonly beganMs: number;
  readonly tookMs: number;
  /** Of `sandbox`, with hyperv isolation: `waiting`, `clone` or `boot`. */
  readonly note?: string;
}

export interface RunSession extends AsyncDisposable {
  readonly id: string;
  readonly session: Session;
  /** After the process has ended (and, with AutoRemove, the container is gone). */
  readonly exit: Promise<ExitStatus>;
  /** Of the start. */
  readonly steps: readonly StartStep[];
}

export class Containers {
  readonly #transport: Transport;
  readonly execs: Execs;

  constructor(transport: Transport) {
    this.#transport = transport;
    this.execs = new Execs(transport);
  }

  #post<T = void>(container: string, verb: string, options: Parameters<Transport['json']>[2] = {}): Promise<T> {
    return this.#transport.json<T>('POST', `/containers/${segment(container)}/${verb}`, options);
  }

  async create(
    request: ContainerCreateRequest & { name?: string; platform?: string },
    options: Cancellable = {},
  ): Promise<{ id: string; warnings: readonly string[] }> {
    const { name, platform, ...json } = request;
    const made = await this.#transport.json<{ Id: string; Warnings: string[] }>('POST', '/containers/create', {
      ...options,
      query: { name, platform },
      json,
    });
    return { id: made.Id, warnings: made.Warnings };
  }

  list(
    options: Cancellable & { all?: boolean; limit?: number; size?: boolean; filters?: Filters } = {},
  ): Promise<ContainerSummary[]> {
    const { signal, filters, ...query } = options;
    return this.#transport.json('GET', '/containers/json', {
      query: { ...query, filters: filtersText(filters) },
      ...(signal ? { signal } : {}),
    });
  }

  inspect(container: string, options: Cancellable & { size?: boolean } = {}): Promise<ContainerDetails> {
    return this.#transport.json('GET', `/containers/${segment(container)}/json`, {
      ...options,
      query: { size: options.size },
    });
  }

  /** Resolves with the steps of the start and their times; none when it runs already. */
  async start(container: string, options: Cancellable = {}): Promise<readonly StartStep[]> {
    const response = await this.#transport.open('POST', `/containers/${segment(container)}/start`, options);
    response.resume();
    return stepsOf(response.headers['server-timing']);
  }

  /** Quiet when it is stopped already. `timeoutSeconds`: until SIGKILL; −1 waits for ever. */
  stop(container: string, options: Cancellable & { timeoutSeconds?: number; stopSignal?: string } = {}): Promise<void> {
    return this.#post(container, 'stop', {
      ...options,
      query: { t: options.timeoutSeconds, signal: options.stopSignal },
    });
  }

  restart(
    container: string,
    options: Cancellable & { timeoutSeconds?: number; stopSignal?: string } = {},
  ): Promise<void> {
    return this.#post(container, 'restart', {
      ...options,
      query: { t: options.timeoutSeconds, signal: options.stopSignal },
    });
  }

  kill(container: string, signalName = 'SIGKILL', options: Cancellable = {}): Promise<void> {
    return this.#post(container, 'kill', { ...options, query: { signal: signalName } });
  }

  pause(container: string, options: Cancellable = {}): Promise<void> {
    return this.#post(container, 'pause', options);
  }

  unpause(container: string, options: Cancellable = {}): Promise<void> {
    return this.#post(container, 'unpause', options);
  }

  rename(container: string, name: string, options: Cancellable = {}): Promise<void> {
    return this.#post(container, 'rename', { ...options, query: { name } });
  }

  remove(container: string, options: Cancellable & { force?: boolean; volumes?: boolean } = {}): Promise<void> {
    return this.#transport.json('DELETE', `/containers/${segment(container)}`, {
      ...options,
      query: { force: options.force, v: options.volumes },
    });
  }

  /** All network adapters, in their order; `NetworkSettings.Networks` tells one for each network only. */
  adapters(container: string, options: Cancellable = {}): Promise<NetworkAdapter[]> {
    return this.#transport.json('GET', `/containers/${segment(container)}/adapters`, options);
  }

  /** Of a container that does not run, as the two below. */
  addAdapter(
    container: string,
    adapter: NetworkAdapterRequest = {},
    options: Cancellable = {},
  ): Promise<NetworkAdapter> {
    return this.#transport.json('POST', `/containers/${segment(container)}/adapters`, { ...options, json: adapter });
  }

  /** What is not given stays; an empty text takes a value away: `{ Switch: '' }` disconnects. */
  changeAdapter(
    container: string,
    adapterId: string,
    change: NetworkAdapterRequest,
    options: Cancellable = {},
  ): Promise<NetworkAdapter> {
    return this.#transport.json('PATCH', `/containers/${segment(container)}/adapters/${segment(adapterId)}`, {
      ...options,
      json: change,
    });
  }

  removeAdapter(container: string, adapterId: string, options: Cancellable = {}): Promise<void> {
    return this.#transport.json('DELETE', `/containers/${segment(container)}/adapters/${segment(adapterId)}`, options);
  }

  async prune(
    options: Cancellable & { filters?: Filters } = {},
  ): Promise<{ deleted: readonly string[]; reclaimedBytes: number }> {
    const answer = await this.#transport.json<{ ContainersDeleted: string[] | null; SpaceReclaimed: number }>(
      'POST',
      '/containers/prune',
      { ...options, query: { filters: filtersText(options.filters) } },
    );
    return { deleted: answer.ContainersDeleted ?? [], reclaimedBytes: answer.SpaceReclaimed };
  }

  /**
   * Resolves when the daemon has begun to wait: what happens afterwards is not missed. Then `exit` tells the outcome.
   */
  async beginWait(
    container: string,
    options: Cancellable & { condition?: WaitCondition } = {},
  ): Promise<{ exit: Promise<ExitStatus> }> {
    const response = await this.#transport.open('POST', `/containers/${segment(container)}/wait`, {
      ...options,
      query: { condition: options.condition },
    });
    const exit = (async (): Promise<ExitStatus> => {
      for await (const answer of jsonLines<{ StatusCode: number; Error?: { Message: string } }>(response)) {
        return {
          statusCode: answer.StatusCode,
          ...(answer.Error === undefined ? {} : { error: answer.Error.Message }),
        };
      }
      throw new Error('The daemon ended the wait without an outcome.');
    })();
    exit.catch(() => undefined); // whoever awaits it is told; nobody has to
    return { exit };
  }

  async wait(container: string, options: Cancellable & { condition?: WaitCondition } = {}): Promise<ExitStatus> {
    return (await this.beginWait(container, options)).exit;
  }

  /** Before start too: then nothing of the output is missed. */
  async attach(
    container: string,
    options: Cancellable & {
      stdin?: boolean;
      stdout?: boolean;
      stderr?: boolean;
      logs?: boolean;
      detachKeys?: string;
    } = {},
  ): Promise<Session> {
    const { stdin = true, stdout = true, stderr = true, logs = false, detachKeys, signal } = options;
    const { socket, contentType } = await this.#transport.upgrade(`/containers/${segment(container)}/attach`, {
      query: { stream: 1, stdin, stdout, stderr, logs, detachKeys },
      ...(signal ? { signal } : {}),
    });
    return new Session(socket, contentType);
  }

  /** Create, attach, wait, start. When the start fails the container is left as docker leaves it. */
  async run(request: ContainerCreateRequest & { name?: string }, options: Cancellable = {}): Promise<RunSession> {
    const { id } = await this.create(request, options);
    const stdin = request.OpenStdin === true;
    await using undo = new AsyncDisposableStack();
    const session = undo.use(await this.attach(id, { ...options, stdin }));
    const { exit } = await this.beginWait(id, {
      ...options,
      condition: request.HostConfig?.AutoRemove === true ? 'removed' : 'next-exit',
    });
    const steps = await this.start(id, options);
    const held = undo.move();
    return { id, session, exit, steps, [Symbol.asyncDispose]: () => held.disposeAsync() };
  }

  resize(container: string, size: { rows: number; columns: number }, options: Cancellable = {}): Promise<void> {
    return this.#post(container, 'resize', { ...options, query: { h: size.rows, w: size.columns } });
  }

  /**
   * Times are Unix seconds (with a fraction) or RFC 3339. Ends at the present, or with `follow` when the container
   * ends.
   */
  async *logs(
    container: string,
    options: Cancellable & {
      stdout?: boolean;
      stderr?: boolean;
      follow?: boolean;
      tail?: number | 'all';
      since?: string | number;
      until?: string | number;
      timestamps?: boolean;
    } = {},
  ): AsyncGenerator<OutputChunk> {
    const { signal, stdout = true, stderr = true, ...query } = options;
    const response = await this.#transport.open('GET', `/containers/${segment(container)}/logs`, {
      query: { stdout, stderr, ...query },
      ...(signal ? { signal } : {}),
    });
    yield* outputOf(response, response.headers['content-type'] ?? '');
  }

  exec(container: string, options: ExecOptions & Cancellable): Promise<ExecSession> {
    return this.execs.run(container, options);
  }

  async top(
    container: string,
    psArguments?: string,
    options: Cancellable = {},
  ): Promise<{ titles: readonly string[]; processes: readonly (readonly string[])[] }> {
    const answer = await this.#transport.json<{ Titles: string[]; Processes: string[][] }>(
      'GET',
      `/containers/${segment(container)}/top`,
      { ...options, query: { ps_args: psArguments } },
    );
    return { titles: answer.Titles, processes: answer.Processes };
  }

  async changes(
    container: string,
    options: Cancellable = {},
  ): Promise<{ path: string; kind: 'modified' | 'added' | 'deleted' }[]> {
    const answer = await this.#transport.json<{ Path: string; Kind: 0 | 1 | 2 }[] | null>(
      'GET',
      `/containers/${segment(container)}/changes`,
      options,
    );
    return (answer ?? []).map(({ Path, Kind }) => ({
      path: Path,
      kind: (['modified', 'added', 'deleted'] as const)[Kind],
    }));
  }

  async statPath(container: string, path: string, options: Cancellable = {}): Promise<PathStat> {
    const response = await this.#transport.open('HEAD', `/containers/${segment(container)}/archive`, {
      ...options,
      query: { path },
    });
    response.resume();
    return statOf(response.headers);
  }

  /** A tar of a file or tree. */
  async readArchive(
    container: string,
    path: string,
    options: Cancellable = {},
  ): Promise<{ stat: PathStat; tar: Readable }> {
    const response = await this.#transport.open('GET', `/containers/${segment(container)}/archive`, {
      ...options,
      query: { path },
    });
    return { stat: statOf(response.headers), tar: response };
  }

  /** Extracts a tar into a directory. */
  writeArchive(
    container: string,
    path: string,
    tar: Readable | AsyncIterable<Uint8Array>,
    options: Cancellable & { noOverwriteDirNonDir?: boolean; copyUidGid?: boolean } = {},
  ): Promise<void> {
    const { signal, noOverwriteDirNonDir, copyUidGid } = options;
    return this.#transport.json('PUT', `/containers/${segment(container)}/archive`, {
      query: { path, noOverwriteDirNonDir, copyUIDGID: copyUidGid },
      stream: tar,
      ...(signal ? { signal } : {}),
    });
  }

  export(container: string, options: Cancellable = {}): Promise<Readable> {
    return this.#transport.open('GET', `/containers/${segment(container)}/export`, options);
  }

  async commit(
    container: string,
    options: Cancellable & {
      repository?: string;
      tag?: string;
      message?: string;
      author?: string;
      changes?: readonly string[];
      pause?: boolean;
    } = {},
  ): Promise<{ id: string }> {
    const { repository, tag, message, author, changes, pause } = options;
    const answer = await this.#transport.json<{ Id: string }>('POST', '/commit', {
      ...options,
      query: { container, repo: repository, tag, comment: message, author, changes, pause },
    });
    return { id: answer.Id };
  }

  async update(
    container: string,
    change: Partial<HostConfig>,
    options: Cancellable = {},
  ): Promise<{ warnings: readonly string[] }> {
    return {
      warnings: (await this.#post<{ Warnings: string[] }>(container, 'update', { ...options, json: change })).Warnings,
    };
  }

  /**
   * Twofold's own: a stopped container changes its isolation and keeps what it has written. `dryRun` only says what
   * would happen.
   */
  async convert(
    container: string,
    isolation: 'default' | Isolation,
    options: Cancellable & { dryRun?: boolean } = {},
  ): Promise<Conversion> {
    return (
      await this.#post<{ Conversion: Conversion }>(container, 'update', {
        ...options,
        json: { Isolation: isolation, ...(options.dryRun === true ? { DryRun: true } : {}) },
      })
    ).Conversion;
  }
}

function statOf(headers: NodeJS.Dict<string | string[]>): PathStat {
  return JSON.parse(
    Buffer.from(String(headers['x-docker-container-path-stat'] ?? ''), 'base64').toString('utf8'),
  ) as PathStat;
}

/** The header Server-Timing. */
function stepsOf(header: string | string[] | undefined): StartStep[] {
  return [header ?? []]
    .flat()
    .join(', ')
    .split(', ')
    .filter((entry) => entry !== '')
    .map((entry) => {
      const [name = '', ...parameters] = entry.split(';');
      const values = new Map(parameters.map((parameter) => parameter.split('=', 2) as [string, string]));
      const note = values.get('desc')?.replaceAll('"', '');
      return {
        name,
        beganMs: Number(values.get('start') ?? 0),
        tookMs: Number(values.get('dur') ?? 0),
        ...(note === undefined ? {} : { note }),
      };
    });
}
