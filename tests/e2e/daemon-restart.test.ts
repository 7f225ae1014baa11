// Kill -9 of the daemon, while containers of both kinds run and write: nothing of theirs is lost.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { command } from '../support/command.ts';
import { daemonForTests } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';
import { processIds, processWords } from '../support/processes.ts';
import { until } from '../support/until.ts';

const daemon = daemonForTests();

const IMAGE = 'nanoserver';
const COUNT = 'i=0; while true; do i=$((i+1)); echo $i; usleep 20000; done';

const lines = async (name: string): Promise<number[]> =>
  (await daemon.ok(['logs', name]))
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
const state = (name: string, field: string) => daemon.ok(['inspect', '--format', `{{.State.${field}}}`, name]);

test('containers of both kinds run on over kill -9 of the daemon, with gapless logs and true exit codes', async () => {
  for (const isolation of isolations) {
    await daemon.ok([
      'run',
      '--detach',
      `--isolation=${isolation}`,
      '--name',
      `writer-${isolation}`,
      IMAGE,
      'sh',
      '-c',
      COUNT,
    ]);
    await daemon.ok([
      'run',
      '--detach',
      `--isolation=${isolation}`,
      '--name',
      `ender-${isolation}`,
      '-i',
      IMAGE,
      'sh',
      '-c',
      'trap "exit 42" TERM; while true; do usleep 50000; done',
    ]);
  }
  for (const isolation of isolations)
    await until('it writes', async () => (await lines(`writer-${isolation}`)).length > 5);
  // What ends them while no daemon is there: a signal after a delay, from inside.
  for (const isolation of isolations)
    await daemon.ok([
      'exec',
      '--detach',
      `ender-${isolation}`,
      'sh',
      '-c',
      'sleep 2; kill -TERM $(pgrep -f "trap.*42" | head -n 1) || kill -TERM -1',
    ]);

  await daemon.kill('SIGKILL');
  await sleep(5_000); // The time in which no daemon is there; what is seen afterwards does not depend on its length.
  await daemon.start();

  for (const isolation of isolations) {
    assert.equal(await state(`writer-${isolation}`, 'Running'), 'true', `writer-${isolation} runs on`);
    await until(
      `ender-${isolation} has ended`,
      async () => (await state(`ender-${isolation}`, 'Running')) === 'false',
      { timeoutMs: 20_000 },
    );
    assert.equal(await state(`ender-${isolation}`, 'ExitCode'), '42', `ender-${isolation}'s exit code`);

    const before = (await lines(`writer-${isolation}`)).length;
    const numbers = await until('it goes on writing', async () => {
      const now = await lines(`writer-${isolation}`);
      return now.length > before + 5 ? now : null;
    });
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
      `the log of writer-${isolation} has no gap`,
    );
    assert.equal(await daemon.ok(['exec', `writer-${isolation}`, 'echo', 'still here']), 'still here');
    await daemon.ok(['stop', '--time', '1', `writer-${isolation}`]);
  }
});

test('a supervisor that is killed takes its container with it, and that is never reported as success', async () => {
  for (const isolation of isolations) {
    const name = `orphan-${isolation}`;
    await daemon.ok(['run', '--detach', `--isolation=${isolation}`, '--name', name, IMAGE, 'sleep', '600']);
    const id = await daemon.ok(['inspect', '--format', '{{.Id}}', name]);
    const supervisors = processIds().filter((pid) => {
      const words = processWords(pid);
      return words[0]?.endsWith('twofold-supervisor') === true && words.some((word) => word.includes(id));
    });
    assert.ok(supervisors.length >= 1, "the supervisor is among the host's processes");
    for (const pid of supervisors) process.kill(pid, 'SIGKILL');
    await until('the container is known to have ended', async () => (await state(name, 'Running')) === 'false');
    assert.notEqual(await state(name, 'ExitCode'), '0');
    await daemon.ok(['start', name]);
    assert.equal(await daemon.ok(['exec', name, 'echo', 'again']), 'again');
  }
});

test('a second daemon on the same data root is refused, and says why', async () => {
  const second = await command(
    process.execPath,
    [
      'packages/daemon/src/main.ts',
      '--data-root',
      daemon.dataRoot,
      '--exec-root',
      `${daemon.directory}/r2`,
      '--host',
      `unix://${daemon.directory}/s2`,
    ],
    { timeoutMs: 20_000 },
  );
  assert.notEqual(second.code, 0);
  assert.match(second.stderr, /Another Twofold daemon \(process \d+\) is using/);
});
