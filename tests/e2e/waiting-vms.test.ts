// Utility VMs that wait belong to the daemon: they end with it, and those of a daemon that was killed are taken away by
// the next.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findWorkers } from '@twofold/daemon/host/workers.ts';
import { startDaemon, type TestDaemon } from '../support/daemon.ts';
import { until } from '../support/until.ts';

const workersOf = async (daemon: TestDaemon): Promise<number[]> =>
  (await findWorkers())
    .filter(({ sandboxDirectory }) => sandboxDirectory.startsWith(`${daemon.runRoot}/`))
    .map(({ pid }) => pid);

test('a VM waits, is used, survives no daemon', async () => {
  await using daemon = await startDaemon(['--vm-pool', '1', '--vm-pool-max', '1']);
  const [first] = await until('a VM waits', async () => {
    const found = await workersOf(daemon);
    return found.length === 1 ? found : undefined;
  });
  assert.match(await daemon.ok(['info', '--format', '{{.DriverStatus}}']), /Waiting VMs [01] of 1/);
  await daemon.kill('SIGKILL');
  assert.deepEqual(await workersOf(daemon), [first]);
  await daemon.start();
  const [second] = await until('another one waits alone', async () => {
    const found = await workersOf(daemon);
    return found.length === 1 && found[0] !== first ? found : undefined;
  });
  // A VM that is still rehearsing is not handed out: then the container gets a clone of its own, and the next one may
  // have it.
  await until(
    'it is handed out, and gone after its use',
    async () => {
      assert.equal(await daemon.ok(['run', '--rm', '--isolation=hyperv', 'nanoserver', 'echo', 'ran']), 'ran');
      return !(await workersOf(daemon)).includes(second!);
    },
    { everyMs: 500 },
  );
  await daemon.kill('SIGTERM');
  assert.deepEqual(await workersOf(daemon), []);
});
