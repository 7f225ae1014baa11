// Owns the process driver as a candidate of the suite, and of the tests that only process isolation needs.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ProcessDriver } from '../../packages/daemon/src/drivers/process/driver.ts';
import { openCgroups, readMounts } from '../../packages/daemon/src/host/cgroup/index.ts';
import type { Candidate } from './bench.ts';
import { testLayers } from './image.ts';
import { program } from '../support/library.ts';
import { processesNaming } from '../support/processes.ts';

export interface ProcessCandidate extends Candidate {
  open(): Promise<ProcessDriver>;
  /** Takes the candidate's own roots away. */
  remove(): void;
}

export function processCandidate(): ProcessCandidate {
  const root = mkdtempSync('/tmp/tfc-');
  const cgroupParent = `/${root.slice('/tmp/'.length)}`;
  const cgroups = openCgroups();
  let opened: ProcessDriver | null = null;
  return {
    name: 'process',
    root,
    layers: testLayers(join(root, 'images')),
    cgroupParent,
    volumeBytes: 64 << 20,
    timeoutMs: 30_000,
    open: async () => {
      opened = new ProcessDriver({
        supervisor: program('twofold-supervisor'),
        layerTool: program('twofold-layer'),
        seccompTool: program('twofold-seccomp'),
        runtime: 'crun',
        runRoot: join(root, 'run'),
        cgroups,
        cgroupParent,
      });
      return opened;
    },
    leftovers: async () => {
      await opened!.releaseLayers(new Set());
      await cgroups.remove(cgroupParent, AbortSignal.timeout(5_000));
      const place = join(root, 'run', 'layers');
      if (existsSync(place)) execFileSync('umount', [place]);
      return [
        ...processesNaming(root),
        ...readFileSync('/proc/self/mountinfo', 'utf8')
          .split('\n')
          .filter((line) => line.includes(root)),
        ...readMounts(readFileSync('/proc/self/mountinfo', 'utf8'))
          .v1.map(({ directory }) => join(directory, cgroupParent))
          .filter((directory) => existsSync(directory)),
        ...readdirSync(join(root, 'run', 'sb')).flatMap((name) =>
          readdirSync(join(root, 'run', 'sb', name)).map((file) => join(name, file)),
        ),
      ];
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
