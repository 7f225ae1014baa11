import assert from 'node:assert/strict';
import { test } from 'node:test';
import { humanDuration, statusText } from './durations.ts';

test("spans are told in Docker's words", () => {
  const second = 1000,
    minute = 60 * second,
    hour = 60 * minute,
    day = 24 * hour;
  const spans: [number, string][] = [
    [0, 'Less than a second'],
    [second, '1 second'],
    [3 * second, '3 seconds'],
    [minute, 'About a minute'],
    [2 * minute, '2 minutes'],
    [46 * minute, '46 minutes'],
    [hour, 'About an hour'],
    [3 * hour, '3 hours'],
    [47 * hour, '47 hours'],
    [3 * day, '3 days'],
    [15 * day, '2 weeks'],
    [70 * day, '2 months'],
    [800 * day, '2 years'],
  ];
  for (const [span, words] of spans) assert.equal(humanDuration(span), words);
});

test("a container's status says what docker ps says", () => {
  assert.equal(statusText({ at: 'running', pid: 1, startedAt: 0 }, 3000), 'Up 3 seconds');
  assert.equal(statusText({ at: 'paused', pid: 1, startedAt: 0 }, 3000), 'Up 3 seconds (Paused)');
  assert.equal(
    statusText({ at: 'exited', startedAt: 0, finishedAt: 0, exitCode: 0, oomKilled: false, error: '' }, 120_000),
    'Exited (0) 2 minutes ago',
  );
  assert.equal(
    statusText({ at: 'restarting', startedAt: 0, finishedAt: 0, exitCode: 1 }, 1000),
    'Restarting (1) 1 second ago',
  );
});
