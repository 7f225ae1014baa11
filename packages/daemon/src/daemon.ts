// The builder: the only file that makes things and wires them. Decides nothing that a room could decide.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { pino, destination, type Logger } from 'pino';
import { TwofoldError, type Isolation } from '@twofold/contract';
import { createApi } from './api/server.ts';
import { readCommandLine } from './command-line.ts';
import { buildDrivers } from './build-drivers.ts';
import type { EngineInfo } from './engine/engine.ts';
import { buildName, version } from './host/own-program.ts';
import { openEngine } from './engine/open.ts';
import { createSpecifications, ordinarySpecification } from './engine/specifications.ts';
import { enter } from './instances.ts';
import { openImages } from './images/open.ts';
import { openNetworks } from './networks/open.ts';
import { verbRunner } from './run-verb.ts';
import type { Settings } from './settings.ts';
import { makeDataRoot } from './state/data-root.ts';
import { lockDataRoot } from './state/lock.ts';
import { LostAndFound } from './state/lost-and-found.ts';
import { openState } from './state/open.ts';
import { DiskReserve } from './state/reserve.ts';
import { sweep } from './sweep.ts';

/** Requests under way may end in this time when the daemon goes down. */
const closeTimeoutMs = 10_000;

export async function main(): Promise<number> {
  const words = process.argv.slice(2);
  let settings: Settings | null;
  try {
    settings = readCommandLine(words.filter((word) => word !== '--purge'));
  } catch (error) {
    if (!(error instanceof TwofoldError)) throw error;
    process.stderr.write(`twofoldd: ${error.message}\n`);
    return 125;
  }
  if (settings === null) return 0;
  const output = destination({ fd: 2, sync: true });
  output.on('error', () => undefined); // whoever read the log has gone (or its disk is full): containers are worth more than the log
  const log = pino({ level: settings.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime }, output);
  // One request's mistake must not end the daemon under all others; what nobody handles otherwise is ours to mend, so
  // it is told loudly.
  process.on('unhandledRejection', (error) =>
    log.error({ err: error }, 'An error was not handled; the daemon continues.'),
  );
  if (process.getuid?.() !== 0) {
    process.stderr.write(
      'twofoldd: the daemon creates namespaces, bridges and virtual machines, which needs root. Run it with sudo.\n',
    );
    return 125;
  }
  try {
    await (words.includes('--purge') ? purge(settings, log) : run(settings, log));
    return 0;
  } catch (error) {
    // What the caller can mend needs no stack.
    if (error instanceof TwofoldError && error.code !== 'internal') log.fatal({ code: error.code }, error.message);
    else log.fatal({ err: error }, error instanceof TwofoldError ? error.message : 'The daemon could not start.');
    return 1;
  }
}

/** Opens the house, and lives until somebody ends it. Containers live on. */
async function run(settings: Settings, log: Logger): Promise<void> {
  process.umask(0o022);
  const stop = signalled();
  await using house = new AsyncDisposableStack();
  makeDataRoot(settings.dataRoot);
  mkdirSync(settings.runRoot, { recursive: true, mode: 0o711 });
  house.use(lockDataRoot(settings.dataRoot));
  enter(settings);
  const reserve = house.use(new DiskReserve(join(settings.dataRoot, 'reserve')));
  const { database, identity } = house.use(openState(settings.dataRoot, () => reserve.release()));
  const lost = new LostAndFound(settings.dataRoot);
  const warn = (sentence: string, facts: Record<string, unknown>) => log.warn(facts, sentence);
  const [networks, { drivers, facts, cgroupVersion, runtimeVersion, warnings, accelerator }] = await Promise.all([
    openNetworks({ settings, database, warn, linkTool: join(settings.libRoot, 'bin', 'twofold-links') }),
    buildDrivers(settings, log, database),
  ]);
  house.use(networks);
  for (const warning of warnings) log.warn(warning);
  const images = openImages({ settings, rows: database, lose: lost.take });
  const engine = house.use(
    await openEngine({
      settings,
      database,
      lost,
      images,
      networks,
      log,
      drivers,
      specifications: createSpecifications(facts),
      info: describe(settings, identity, { cgroupVersion, runtimeVersion, warnings, accelerator }),
    }),
  );
  for (const [isolation, driver] of drivers)
    if (!('missing' in driver)) driver.warmUp?.(warn, ordinarySpecification(isolation, facts.get(isolation)!));
  // Without them the daemon is of use all the same: containers that exist, images that are loaded.
  await images
    .ensureBaseImages(stop)
    .catch((error: unknown) => log.warn({ err: error }, 'The base images could not be loaded.'));
  const api = createApi(engine, {
    logger: log,
    socketPath: settings.socket,
    group: settings.socketGroup,
    versionInfo: { version, gitCommit: buildName },
    runVerb: verbRunner(settings.socket),
  });
  const pidFile = join(settings.runRoot, 'twofoldd.pid');
  await api.listen();
  house.defer(() => closeInTime(api.close(), log));
  writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 });
  house.defer(() => rmSync(pidFile, { force: true }));
  log.info(
    { socket: settings.socket, dataRoot: settings.dataRoot, startMs: Math.round(performance.now()) },
    'Twofold is ready.',
  );
  await ended(stop);
  log.info({ reason: String(stop.reason) }, 'Twofold is shutting down; containers keep running.');
}

/** Takes away all that a daemon with these settings has on the host; refused while one lives. */
async function purge(settings: Settings, log: Logger): Promise<void> {
  using _hold = existsSync(settings.dataRoot) ? lockDataRoot(settings.dataRoot) : null;
  for (const sentence of await sweep(settings, (what) => log.info({ what }, 'Removing.'))) log.warn(sentence);
}

/** At once when the signal came while the house was opened. */
function ended(stop: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  stop.addEventListener('abort', () => resolve(), { once: true });
  if (stop.aborted) resolve();
  return promise;
}

/** The first SIGTERM or SIGINT ends the daemon in order, a second one at once. */
function signalled(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.on(name, () => (stop.signal.aborted ? process.exit(1) : stop.abort(name)));
  process.on('SIGHUP', () => undefined);
  return stop.signal;
}

async function closeInTime(closing: Promise<void>, log: Logger): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      log.warn('Requests did not end in time.');
      resolve();
    }, closeTimeoutMs);
  });
  await Promise.race([closing, late]);
  clearTimeout(timer);
}

function describe(
  settings: Settings,
  identity: string,
  found: Pick<EngineInfo, 'cgroupVersion' | 'runtimeVersion' | 'warnings' | 'accelerator'>,
): EngineInfo {
  return {
    id: identity,
    defaultIsolation: settings.defaultIsolation satisfies Isolation,
    kernelVersion: release(),
    operatingSystem: /^PRETTY_NAME="?([^"\n]*)/m.exec(readOr('/etc/os-release', ''))?.[1] ?? 'Linux',
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    dataRoot: settings.dataRoot,
    logLimits: { bytes: settings.logMaxBytes, files: settings.logMaxFiles },
    ...found,
  };
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}
