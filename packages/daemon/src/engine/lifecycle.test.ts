import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ContainerLife } from './engine.ts';
import { after, isUp, judge, type Command, type LifeEvent } from './lifecycle.ts';
import { restartDelayMs, startsWithDaemon } from './restart-policy.ts';

const at = fc.nat();
const event: fc.Arbitrary<LifeEvent> = fc.oneof(
  fc.record({ kind: fc.constant('started' as const), pid: fc.integer({ min: 1 }), at }),
  fc.record({
    kind: fc.constant('start-failed' as const),
    exitCode: fc.constantFrom(126, 127, 128),
    error: fc.string(),
    at,
  }),
  fc.record({
    kind: fc.constant('exited' as const),
    exitCode: fc.integer({ min: 0, max: 255 }),
    oomKilled: fc.boolean(),
    at,
    error: fc.string(),
    restarts: fc.boolean(),
  }),
  fc.constantFrom<LifeEvent>(
    { kind: 'restart-given-up' },
    { kind: 'paused' },
    { kind: 'resumed' },
    { kind: 'removal-began' },
    { kind: 'damaged', error: 'x' },
  ),
);
const who = { id: 'id', name: 'name' };
const created: ContainerLife = { at: 'created', error: '', exitCode: 0 };
const allows = (command: Command, life: ContainerLife) => judge(command, life, who).is === 'accepted';

test('whatever happens in whatever order: start and stop are never legal at once, nor pause and unpause', () => {
  fc.assert(
    fc.property(fc.array(event), (events) => {
      const life = events.reduce(after, created);
      assert.ok(!(allows('start', life) && allows('stop', life)));
      assert.ok(!(allows('pause', life) && allows('unpause', life)));
      if (allows('exec', life)) assert.equal(life.at, 'running');
      if (allows('remove', life)) assert.ok(!isUp(life));
      if (allows('convert', life)) assert.ok(!isUp(life) && life.at !== 'restarting');
    }),
  );
});

test('nothing but the end comes after the beginning of a removal', () => {
  fc.assert(
    fc.property(fc.array(event), (events) => {
      assert.deepEqual(events.reduce(after, { at: 'removing' } as ContainerLife), { at: 'removing' });
    }),
  );
});

test('a second report of the same end changes nothing', () => {
  fc.assert(
    fc.property(fc.array(event), event, (events, last) => {
      const once = after(events.reduce(after, created), last);
      if (last.kind === 'exited') assert.deepEqual(after(once, last), once);
    }),
  );
});

test('a running container leaves that state only by its end, a pause or damage', () => {
  fc.assert(
    fc.property(event, (happened) => {
      const running: ContainerLife = { at: 'running', pid: 1, startedAt: 0 };
      const next = after(running, happened);
      if (next.at !== 'running') assert.ok(['exited', 'paused', 'damaged'].includes(happened.kind));
    }),
  );
});

test('restarts wait 100 ms, then twice as long each time, a minute at most, and never follow a stop by a person', () => {
  const always = { Name: 'always' as const };
  const delays = Array.from({ length: 14 }, (_, quickRestarts) =>
    restartDelayMs(always, { exitCode: 1, restartCount: 0, stoppedByUser: false, quickRestarts }),
  );
  assert.deepEqual(delays.slice(0, 4), [100, 200, 400, 800]);
  assert.equal(delays.at(-1), 60_000);
  assert.equal(restartDelayMs(always, { exitCode: 1, restartCount: 0, stoppedByUser: true, quickRestarts: 0 }), null);
  assert.equal(
    restartDelayMs({ Name: 'on-failure' }, { exitCode: 0, restartCount: 0, stoppedByUser: false, quickRestarts: 0 }),
    null,
  );
  assert.equal(
    restartDelayMs(undefined, { exitCode: 1, restartCount: 0, stoppedByUser: false, quickRestarts: 0 }),
    null,
  );
});

test('with the daemon start: always even when stopped, unless-stopped only when not, on-failure while tries are left', () => {
  const ended = { exitCode: 1, restartCount: 0, stoppedByUser: false };
  assert.equal(startsWithDaemon({ Name: 'always' }, { ...ended, stoppedByUser: true }), true);
  assert.equal(startsWithDaemon({ Name: 'unless-stopped' }, { ...ended, stoppedByUser: true }), false);
  assert.equal(startsWithDaemon({ Name: 'on-failure', MaximumRetryCount: 2 }, { ...ended, restartCount: 2 }), false);
  assert.equal(startsWithDaemon({ Name: 'on-failure', MaximumRetryCount: 2 }, { ...ended, restartCount: 1 }), true);
});
