// What a person at a prompt sees beside the walkthrough: questions before what can't be undone, and Ctrl+C.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startDaemon, type TestDaemon } from '../support/daemon.ts';
import { noPowerShell } from '../support/powershell.ts';
import { Prompt } from '../support/powershell-prompt.ts';
import { until } from '../support/until.ts';

let daemon: TestDaemon;
before(async () => {
  if (noPowerShell === false) daemon = await startDaemon();
});
after(async () => {
  if (noPowerShell === false) await daemon[Symbol.asyncDispose]();
});

describe('the prompt', { skip: noPowerShell }, () => {
  const open = () => Prompt.open({ ...daemon.env, TWOFOLD_HOST: `unix://${daemon.socket}` });

  test('Ctrl+C ends the waiting for an engine that takes its time, and the session goes on', async () => {
    await using prompt = await open();
    // It heeds no request to end, and is given ten minutes for it.
    await daemon.ok([
      'run',
      '--detach',
      '--name',
      'deaf',
      '--stop-timeout',
      '600',
      'nanoserver',
      'sh',
      '-c',
      'trap "" TERM; while :; do sleep 1; done',
    ]);
    await prompt.type('Stop-Container deaf');
    await until('the container is asked to end', async () =>
      (
        await daemon.ok([
          'events',
          '--since',
          '5m',
          '--until',
          '0s',
          '--filter',
          'event=kill',
          '--format',
          '{{.Actor.Attributes.name}}',
        ])
      ).includes('deaf'),
    );
    await prompt.interrupt();
    assert.equal(await prompt.enter('"still" + " here"'), 'still here');
    // The engine goes on asking it to end, whoever has stopped waiting.
    await daemon.ok(['kill', 'deaf']);
    await daemon.ok(['wait', 'deaf']);
    await daemon.ok(['rm', 'deaf']);
  });

  test('Remove-Container asks, and does nothing when the answer is no', async () => {
    await using prompt = await open();
    await daemon.ok(['create', '--name', 'asked', 'nanoserver']);
    await prompt.type('Remove-Container asked');
    await prompt.see(/\[Y\] Yes.*\[N\] No/s);
    await prompt.enter('n');
    assert.equal(await prompt.enter('(Get-Container asked).Name'), 'asked');
    await prompt.type('Remove-Container asked');
    await prompt.see(/\[Y\] Yes.*\[Y\] Yes/s);
    await prompt.enter('y');
    assert.equal(await daemon.ok(['ps', '--all', '--quiet', '--filter', 'name=asked']), '');
  });
});
