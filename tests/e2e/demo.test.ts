// The demo's story against a daemon of its own: each step asserts what it tells, so a step that does not hold fails it.

import { test } from 'node:test';
import { show } from '../../packages/cli/src/demo/show.ts';
import { Twofold } from '@twofold/sdk';
import { startDaemon } from '../support/daemon.ts';

test('the demo tells its story to the end, and leaves no container behind', async (t) => {
  await using daemon = await startDaemon();
  await using twofold = new Twofold({ socketPath: daemon.socket });
  await show(twofold);
  t.assert.deepEqual(await twofold.containers.list({ all: true }), []);
});
