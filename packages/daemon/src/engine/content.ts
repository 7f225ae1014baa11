// Owns the front door's commands on what a container holds: its log, processes, files, and what is made of them. Who is
// meant and in which order is decided here, the rest in the jobs of containers/.

import type { ContainerId } from '@twofold/contract';
import { commitContainer } from './containers/commit.ts';
import { convertContainer, planFor } from './containers/convert.ts';
import { exportFiles, listChanges, readArchive, statPath, writeArchive } from './containers/files.ts';
import { listProcesses } from './containers/list-processes.ts';
import { preparePowerShell } from './containers/powershell.ts';
import { containerLogs } from './containers/read-logs.ts';
import type { Containers } from './engine.ts';
import type { Room } from './room.ts';

type Content = Pick<
  Containers,
  | 'logs'
  | 'top'
  | 'changes'
  | 'statPath'
  | 'readArchive'
  | 'writeArchive'
  | 'export'
  | 'commit'
  | 'planConversion'
  | 'convert'
  | 'preparePowerShell'
>;

export function createContent(room: Room): Content {
  const idOf = (reference: string): ContainerId => room.records.find(reference).id;
  const inTurn = <T>(id: ContainerId, work: () => Promise<T>, signal: AbortSignal): Promise<T> =>
    room.presences.of(id).queue.run(work, signal);
  return {
    logs: (reference, options, signal) => containerLogs(room, idOf(reference), options, signal),
    top: async (reference, psArguments) => listProcesses(room, idOf(reference), psArguments),
    changes: async (reference, signal) => listChanges(room, idOf(reference), signal),
    statPath: async (reference, path, signal) => statPath(room, idOf(reference), path, signal),
    readArchive: async (reference, path, signal) => readArchive(room, idOf(reference), path, signal),
    writeArchive: async (reference, path, tar, options, signal) =>
      writeArchive(room, idOf(reference), path, tar, options, signal),
    export: async (reference, signal) => exportFiles(room, idOf(reference), signal),
    commit: async (reference, options, signal) => {
      const id = idOf(reference);
      return inTurn(id, () => commitContainer(room, id, options, signal), signal);
    },
    preparePowerShell: async (reference, signal) => {
      const id = idOf(reference);
      return inTurn(id, () => preparePowerShell(room, id, signal), signal);
    },
    planConversion: (reference, to) => planFor(room, room.records.find(reference), to),
    convert: async (reference, to, signal) => {
      const id = idOf(reference);
      return inTurn(id, () => convertContainer(room, id, to, signal), signal);
    },
  };
}
