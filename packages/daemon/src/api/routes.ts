// Owns the one table of what the front door answers to. What each does is in handlers/; what Docker has and we lack is
// in missing.ts.

import type { Duplex } from 'node:stream';
import type { Caller, Handler } from './context.ts';
import * as files from './handlers/container-files.ts';
import * as adapters from './handlers/adapters.ts';
import { inspectContainer } from './handlers/container-inspect.ts';
import * as life from './handlers/container-life.ts';
import { listContainers } from './handlers/container-list.ts';
import * as streams from './handlers/container-streams.ts';
import { updateContainer } from './handlers/container-update.ts';
import { createContainer } from './handlers/container-create.ts';
import * as execs from './handlers/execs.ts';
import * as archives from './handlers/image-archives.ts';
import * as images from './handlers/images.ts';
import * as networks from './handlers/networks.ts';
import { streamEvents } from './handlers/events.ts';
import * as system from './handlers/system.ts';
import * as twofold from './handlers/twofold.ts';
import { runVerb } from './handlers/verb.ts';
import { missingRoutes } from './missing.ts';
import { swarmRoutes } from './swarm.ts';
import { compilePattern, matchPattern, type Pattern } from './router.ts';

export interface HijackContext extends Caller {
  readonly socket: Duplex;
  /** The request's body, exactly; the socket has what follows. */
  readonly body: Buffer;
  /** Aborted when the client is gone. */
  readonly hangUp: AbortController;
  /** To be called once 101 has been sent: from then on no status can be told, and what goes wrong is told by `tell`. */
  accepted(tell?: (message: string) => void): void;
}

export type HijackHandler = (context: HijackContext) => Promise<void>;

const routes: readonly (readonly [method: string, path: string, handler: Handler])[] = [
  ['GET', '/_ping', system.ping],
  ['HEAD', '/_ping', system.ping],
  ['GET', '/version', system.version],
  ['GET', '/info', system.info],
  ['GET', '/system/df', system.diskUsage],
  ['GET', '/events', streamEvents],

  ['GET', '/containers/json', listContainers],
  ['POST', '/containers/create', createContainer],
  ['POST', '/containers/prune', life.prune],
  ['GET', '/containers/{name}/json', inspectContainer],
  ['POST', '/containers/{name}/start', life.start],
  ['POST', '/containers/{name}/stop', life.stop],
  ['POST', '/containers/{name}/restart', life.restart],
  ['POST', '/containers/{name}/kill', life.kill],
  ['POST', '/containers/{name}/pause', life.pause],
  ['POST', '/containers/{name}/unpause', life.unpause],
  ['POST', '/containers/{name}/rename', life.rename],
  ['POST', '/containers/{name}/wait', life.wait],
  ['DELETE', '/containers/{name}', life.remove],
  ['POST', '/containers/{name}/resize', life.resize],
  ['GET', '/containers/{name}/top', life.top],
  ['POST', '/containers/{name}/update', updateContainer],
  ['GET', '/containers/{name}/logs', streams.logs],
  ['POST', '/containers/{name}/attach', streams.attachWithoutUpgrade],
  ['GET', '/containers/{name}/changes', files.changes],
  ['HEAD', '/containers/{name}/archive', files.statArchive],
  ['GET', '/containers/{name}/archive', files.readArchive],
  ['PUT', '/containers/{name}/archive', files.writeArchive],
  ['GET', '/containers/{name}/export', files.exportContainer],
  ['GET', '/containers/{name}/adapters', adapters.listAdapters],
  ['POST', '/containers/{name}/adapters', adapters.addAdapter],
  ['PATCH', '/containers/{name}/adapters/{adapter}', adapters.changeAdapter],
  ['DELETE', '/containers/{name}/adapters/{adapter}', adapters.removeAdapter],
  ['POST', '/commit', files.commit],

  ['POST', '/containers/{name}/exec', execs.createExec],
  ['POST', '/exec/{id}/start', execs.startWithoutUpgrade],
  ['POST', '/exec/{id}/resize', execs.resizeExec],
  ['GET', '/exec/{id}/json', execs.inspectExec],

  ['GET', '/images/json', images.listImages],
  ['POST', '/images/create', archives.createImage],
  ['POST', '/images/load', archives.loadImages],
  ['GET', '/images/get', archives.saveImages],
  ['POST', '/images/prune', images.pruneImages],
  ['GET', '/images/{name:.*}/json', images.inspectImage],
  ['GET', '/images/{name:.*}/history', images.imageHistory],
  ['GET', '/images/{name:.*}/get', archives.saveImage],
  ['POST', '/images/{name:.*}/tag', images.tagImage],
  ['DELETE', '/images/{name:.*}', images.removeImage],
  ['POST', '/build/prune', system.pruneBuildCache],

  ['GET', '/networks', networks.listNetworks],
  ['POST', '/networks/create', networks.createNetwork],
  ['POST', '/networks/prune', networks.pruneNetworks],
  ['GET', '/networks/{name}', networks.inspectNetwork],
  ['DELETE', '/networks/{name}', networks.removeNetwork],
  ['POST', '/networks/{name}/connect', networks.connectNetwork],
  ['POST', '/networks/{name}/disconnect', networks.disconnectNetwork],

  ['GET', '/volumes', system.listVolumes],
  ['POST', '/volumes/prune', system.pruneVolumes],
  ['GET', '/volumes/{name}', system.unknownVolume],
  ['DELETE', '/volumes/{name}', system.unknownVolume],

  ['POST', '/containers/{name}/powershell', twofold.preparePowerShell],
  ['GET', '/twofold/compute', twofold.compute],
  ['POST', '/twofold/compute/{id}/stop', twofold.stopCompute],
  ['GET', '/twofold/switches', twofold.switches],
  ['POST', '/twofold/verb', runVerb],

  ...missingRoutes,
  ...swarmRoutes,
];

const hijackRoutes: readonly (readonly [method: string, path: string, handler: HijackHandler])[] = [
  ['POST', '/containers/{name}/attach', streams.attach],
  ['POST', '/exec/{id}/start', execs.startExec],
];

interface Compiled<H> {
  readonly method: string;
  readonly pattern: Pattern;
  readonly handler: H;
}

function compile<H>(table: readonly (readonly [method: string, path: string, handler: H])[]): Compiled<H>[] {
  return table.map(([method, path, handler]) => ({ method, pattern: compilePattern(path), handler }));
}

function find<H>(
  table: readonly Compiled<H>[],
  method: string,
  path: string,
): { handler: H; parameters: Record<string, string> } | null {
  for (const route of table) {
    if (route.method !== '*' && route.method !== method) continue;
    const parameters = matchPattern(route.pattern, path);
    if (parameters !== null) return { handler: route.handler, parameters };
  }
  return null;
}

const compiled = compile(routes);
const compiledHijacks = compile(hijackRoutes);

export function findRoute(
  method: string,
  path: string,
): { handler: Handler; parameters: Record<string, string> } | null {
  return find(compiled, method, path);
}

/** The routes that take over the connection when the client asks for it. */
export function findUpgradeRoute(
  method: string,
  path: string,
): { handler: HijackHandler; parameters: Record<string, string> } | null {
  return find(compiledHijacks, method, path);
}
