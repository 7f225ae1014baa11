// Twofold's answers against those of a living dockerd to the same requests in the same world: answers/recorded.json,
// written by `npm run record-answers`. Statuses of requests, shapes and values of inspect; for both isolations.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { daemonForTests } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';
import { differences } from './answers/differences.ts';
import { requests } from './answers/requests.ts';
import { shapeOf, shapes } from './answers/shapes.ts';
import { ask, makeWorld, undo, type World } from './answers/world.ts';

const recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'answers/recorded.json'), 'utf8')) as {
  shapes: Record<string, Record<string, unknown>>;
  answers: Record<string, [status: number, message?: string]>;
};

/** Objects with their keys in order: JSON has none. */
const text = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );

/** What of the differences holds for this one, as `of` or the reason of a general one. */
function allowed(what: string, theirs: unknown, ours: unknown): string | undefined {
  for (const { because, of, when } of differences) {
    const beginning = of?.find((each) => what.startsWith(each));
    if (beginning !== undefined) return beginning;
    if (when?.(theirs, ours) === true) return because;
  }
  return undefined;
}

/** What differs and should not, as `WHAT: dockerd's, ours`; and which of the known differences were met. */
const met = new Set<string>();
function compare(what: string, theirs: unknown, ours: unknown, told = ''): string[] {
  if (text(theirs) === text(ours)) return [];
  const difference = allowed(what, theirs, ours);
  if (difference === undefined) return [`${what}: dockerd ${text(theirs)}, Twofold ${text(ours)}${told}`];
  met.add(difference);
  return [];
}

for (const isolation of isolations)
  describe(`asked of ${isolation} containers`, () => {
    const daemon = daemonForTests(['--exec-opt', `isolation=${isolation}`], () => makeWorld(world));
    const world: World = { socketPath: daemon.socket, subnet: '10.77.7' };

    test('inspect and lists have the shapes and values of dockerd', { timeout: 60_000 }, async () => {
      const unexpected: string[] = [];
      for (const { title, request } of shapes) {
        const theirs = recorded.shapes[title]!;
        const ours = shapeOf(await request(world));
        for (const path of new Set([...Object.keys(theirs), ...Object.keys(ours)]))
          unexpected.push(...compare(`${title}: ${path}`, theirs[path], ours[path]));
      }
      assert.deepEqual(unexpected, []);
    });

    test('every request has the status that dockerd gives it', { timeout: 240_000 }, async () => {
      const unexpected: string[] = [];
      for (const request of requests) {
        const answer = await ask(world, request);
        await undo(world, request, answer);
        const [status, message = ''] = recorded.answers[request.title] ?? [0, 'not recorded'];
        const told = answer.status < 400 ? '' : `; ${message} | ${answer.body.toString().slice(0, 200).trim()}`;
        unexpected.push(...compare(request.title, status, answer.status, told));
      }
      assert.deepEqual(unexpected, []);
    });
  });

test('every difference that is listed is one', () => {
  const listed = differences.flatMap(({ because, of }) => of ?? [because]);
  assert.deepEqual(
    listed.filter((each) => !met.has(each)),
    [],
  );
});
