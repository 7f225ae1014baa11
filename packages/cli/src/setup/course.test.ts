import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { placesOf } from '../places.ts';
import { runSteps } from './course.ts';
import type { Step } from './step.ts';

/** A machine of two steps, of which the second can be told to fail. */
async function withMachine(
  work: (machine: {
    done: string[];
    there: Set<string>;
    without: string[];
    source: string;
    broken: boolean;
    optional: boolean;
    run: () => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const libRoot = await mkdtemp(join(tmpdir(), 'twofold-course-'));
  const machine = {
    done: [] as string[],
    there: new Set<string>(),
    without: [] as string[],
    source: 'one',
    broken: false,
    optional: false,
    run: () =>
      runSteps(
        ['first', 'second'].map(step),
        { places: placesOf({ libRoot }), progress: () => undefined, signal: new AbortController().signal },
        {
          found: () => undefined,
          begin: () => undefined,
          done: () => undefined,
          without: (step, reason) => void machine.without.push(`${step.name}: ${reason}`),
        },
      ),
  };
  const step = (name: string): Step => ({
    name,
    title: name,
    purpose: '',
    byHand: 'by hand',
    ...(machine.optional ? { optional: true as const } : {}),
    inputs: async () => [name === 'first' ? machine.source : ''],
    check: async () => ({ there: machine.there.has(name), detail: name }),
    mend: async () => {
      if (name === 'second' && machine.broken) throw new Error('no network');
      machine.done.push(name);
      machine.there.add(name);
    },
  });
  try {
    await work(machine);
  } finally {
    await rm(libRoot, { recursive: true });
  }
}

test('a second run does nothing', () =>
  withMachine(async (machine) => {
    await machine.run();
    await machine.run();
    assert.deepEqual(machine.done, ['first', 'second']);
  }));

test('a step whose inputs changed, or whose outcome is gone, is done again, and only that one', () =>
  withMachine(async (machine) => {
    await machine.run();
    machine.source = 'two';
    await machine.run();
    machine.there.delete('second');
    await machine.run();
    assert.deepEqual(machine.done, ['first', 'second', 'first', 'second']);
  }));

test('a broken-off run is taken up where it stopped, and the error names the step and the way by hand', () =>
  withMachine(async (machine) => {
    machine.broken = true;
    await assert.rejects(
      machine.run(),
      (error: Error) =>
        error.message.includes('"second"') &&
        error.message.includes('by hand') &&
        (error.cause as Error).message === 'no network',
    );
    machine.broken = false;
    await machine.run();
    assert.deepEqual(machine.done, ['first', 'second']);
  }));

test('an optional step that cannot be done is told, the others are done, and it is tried again', () =>
  withMachine(async (machine) => {
    machine.optional = true;
    machine.broken = true;
    await machine.run();
    assert.deepEqual(machine.without, ['second: no network']);
    machine.broken = false;
    await machine.run();
    assert.deepEqual(machine.done, ['first', 'second']);
  }));
