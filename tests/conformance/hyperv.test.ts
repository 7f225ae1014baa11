// Holds the hyperv driver to the conformance suite.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { HypervDriver } from '../../packages/daemon/src/drivers/hyperv/driver.ts';
import { openCgroups } from '../../packages/daemon/src/host/cgroup/index.ts';
import { defaults } from '../../packages/daemon/src/settings.ts';
import { describeContainer, processOf, specOf, type Candidate } from './bench.ts';
import { testLayers } from './image.ts';
import { conformance } from './suite.ts';
import { testedLibrary } from '../support/library.ts';
import { processesNaming } from '../support/processes.ts';

const root = mkdtempSync('/tmp/tfh-');
const cgroupParent = `/${root.slice('/tmp/'.length)}`;
const cgroups = openCgroups();
const settings = {
  ...defaults,
  libRoot: testedLibrary,
  vmPool: 1,
  vmPoolMost: 1,
  dataRoot: join(root, 'data'),
  runRoot: join(root, 'run'),
  cgroupParent,
  machine: { memoryBytes: 512 << 20, cpus: 1 },
};

const candidate: Candidate = {
  name: 'hyperv',
  root,
  layers: testLayers(join(root, 'images')),
  cgroupParent,
  // Under emulation every byte is copied by translated code.
  volumeBytes: 8 << 20,
  timeoutMs: 90_000,
  open: async () => {
    const driver = await HypervDriver.open(settings, cgroups);
    driver.warmUp(
      (sentence, facts) => assert.fail(`${sentence} ${String(facts['err'])}`),
      specOf(describeContainer(candidate), processOf(['true'])),
    );
    assert.equal(await driver.warm(), true);
    return driver;
  },
  leftovers: async () => {
    await cgroups.remove(cgroupParent, AbortSignal.timeout(5_000));
    const sandboxes = readdirSync(join(root, 'run', 'sb'));
    return [
      ...processesNaming(root),
      ...readFileSync('/proc/self/mountinfo', 'utf8')
        .split('\n')
        .filter((line) => line.includes(root)),
      ...readdirSync('/run/userdb').filter((file) => sandboxes.some((id) => file.startsWith(id.slice(0, 32)))),
      ...sandboxes.flatMap((id) => readdirSync(join(root, 'run', 'sb', id)).map((file) => join(id, file))),
    ];
  },
};

conformance(candidate);
after(() => rmSync(root, { recursive: true, force: true }));
