// The command `twofold` as it is installed, before a real daemon: what tests/api/front.test.ts can't show on a front
// door alone.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { daemonForTests } from '../support/daemon.ts';
import { installCommand } from '../support/installed.ts';
import { until } from '../support/until.ts';

const installed = installCommand();
const daemon = daemonForTests();
after(() => installed[Symbol.dispose]());

/** Begins `twofold stop` of containers that do not heed it, and resolves once the first has been asked. */
async function stopping(...names: [string, ...string[]]) {
  const [name] = names;
  for (const each of names) {
    await daemon.ok([
      'run',
      '--detach',
      '--name',
      each,
      'nanoserver',
      'sh',
      '-c',
      'trap "echo asked" TERM; echo ready; while :; do sleep 0.1; done',
    ]);
    await until('the container listens', async () => (await daemon.ok(['logs', each])) === 'ready');
  }
  const child = spawn(installed.frontAlone, ['--host', `unix://${daemon.socket}`, 'stop', '--time', '60', ...names], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]).then(
    ([[code, signal], stdout, stderr]) =>
      ({ code, signal, stdout, stderr }) as {
        code: number | null;
        signal: NodeJS.Signals | null;
        stdout: string;
        stderr: string;
      },
  );
  await until('the container has been asked', async () => (await daemon.ok(['logs', name])).includes('asked'));
  return { child, ended };
}

test('Ctrl+C ends it at once, and what it had not come to is not done', async () => {
  const { child, ended } = await stopping('heedless', 'second');
  child.kill('SIGINT');
  const { code, signal, stdout, stderr } = await ended;
  assert.deepEqual({ code, signal, stdout, stderr }, { code: null, signal: 'SIGINT', stdout: '', stderr: '' });
  await daemon.ok(['kill', 'heedless']);
  assert.equal(await daemon.ok(['wait', 'heedless']), '137');
  assert.equal(await daemon.ok(['logs', 'second']), 'ready');
});

test('a daemon that is killed in the middle is told, and the next one answers', async () => {
  const { ended } = await stopping('orphan');
  await daemon.kill('SIGKILL');
  assert.deepEqual(await ended, {
    code: 1,
    signal: null,
    stdout: '',
    stderr: `twofold: Cannot talk to the Twofold daemon at ${daemon.socket}: the connection broke.\n`,
  });
  await daemon.start();
  const child = spawn(
    installed.frontAlone,
    ['--host', `unix://${daemon.socket}`, 'ps', '--quiet', '--filter', 'name=orphan'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  assert.match(await text(child.stdout), /^[0-9a-f]{12}\n$/);
});
