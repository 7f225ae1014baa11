import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge, type Goal } from './goals.ts';
import { titles, type Row } from './row.ts';
import { median } from './statistics.ts';

const row = (peer: string, figure: number, parts?: Record<string, number>): Row => ({
  work: titles.start,
  unit: 'ms',
  peer,
  summary: median([figure]),
  ...(parts === undefined ? {} : { parts }),
});
const reference = row('dockerd + runc', 200);
const ours = 'twofold process';
const goal: Goal = { work: titles.start, peer: ours, of: 'ratio', reach: 0.5, aim: 0.25 };
const marks = (one: Row, held: Goal, rows: readonly Row[] = [reference, one]): string[] =>
  judge(one, rows, [held]).map(({ mark, offPercent }) => `${mark} ${offPercent.toFixed(0)}`);

test('a ratio is held against the reference of the same run', () => {
  assert.deepEqual(marks(row(ours, 50), goal), ['aim -50']);
  assert.deepEqual(marks(row(ours, 100), goal), ['reach 0']);
  assert.deepEqual(marks(row(ours, 120), goal), ['missed 20']);
});

test('where more is better, less misses', () => {
  assert.deepEqual(marks(row(ours, 150), { ...goal, reach: 1, aim: 1.5, more: true }), ['missed 25']);
  assert.deepEqual(marks(row(ours, 300), { ...goal, reach: 1, aim: 1.5, more: true }), ['aim -50']);
});

test('a part has a goal of its own', () => {
  assert.deepEqual(
    marks(row(ours, 50, { supervisor: 2 }), {
      work: titles.start,
      peer: ours,
      part: 'supervisor',
      of: 'figure',
      reach: 1,
    }),
    ['missed 100'],
  );
});

test("without the reference, and for others' goals, nothing is judged", () => {
  assert.deepEqual(marks(row(ours, 50), goal, []), []);
  assert.deepEqual(marks(row('podman + crun', 50), goal), []);
});
