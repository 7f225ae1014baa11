// Owns `npm run record-answers`: asks a living dockerd (Debian's docker.io, in a network namespace of its own) all that
// tests/compat/answers/requests.ts has, and writes down what it answers. The test compares Twofold with that.

import { writeFileSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDockerd } from '../bench/peers/dockerd.ts';
import { requests } from '../tests/compat/answers/requests.ts';
import { shapes, shapeOf } from '../tests/compat/answers/shapes.ts';
import { ask, makeWorld, undo, type World } from '../tests/compat/answers/world.ts';

const file = join(import.meta.dirname, '../tests/compat/answers/recorded.json');
const directory = mkdtempSync(join(tmpdir(), 'tf-record-'));
await using stack = new AsyncDisposableStack();
stack.defer(() => rmSync(directory, { recursive: true, force: true }));
const { version } = await startDockerd(join(directory, 'dockerd'), stack);
const world: World = { socketPath: join(directory, 'dockerd', 'docker.sock'), subnet: '10.77.7' };
await makeWorld(world);
const shaped: Record<string, unknown> = {};
for (const { title, request } of shapes) shaped[title] = shapeOf(await request(world));
const answers: Record<string, [status: number, message?: string]> = {};
for (const request of requests) {
  const answer = await ask(world, request);
  await undo(world, request, answer);
  const message = answer.status >= 400 ? messageOf(answer.body) : undefined;
  answers[request.title] = message === undefined ? [answer.status] : [answer.status, message];
}
writeFileSync(file, `${JSON.stringify({ dockerd: version, shapes: shaped, answers }, null, 1)}\n`);
process.stdout.write(`${requests.length} answers of ${version} are in ${file}\n`);

function messageOf(body: Buffer): string {
  try {
    return (JSON.parse(body.toString()) as { message: string }).message;
  } catch {
    return body.toString().trim();
  }
}
