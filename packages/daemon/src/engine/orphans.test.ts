// What a start of the daemon finds that the rows do not agree with: after a power cut, or on a database from a backup.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { ContainerId, SandboxId } from '@twofold/contract';
import { openDatabase } from '../state/database.ts';
import { containerDirectory, doomedDirectory } from './places.ts';
import { openHouse, type House } from './simulated-house.ts';

let house: House;
beforeEach(async () => (house = await openHouse()));
afterEach(() => house[Symbol.asyncDispose]());

const directory = (id: ContainerId) => containerDirectory(house.settings, id);
const forgetRow = (id: ContainerId) => {
  using database = openDatabase(join(house.settings.dataRoot, 'state.db'));
  database.run('DELETE FROM containers WHERE id = ?', id);
};

test('a removal whose row a power cut took back is finished', async () => {
  const id = await house.create(['sleep']);
  await house.restart(() => {
    renameSync(directory(id), doomedDirectory(house.settings, id));
  });
  for (let turn = 0; house.engine.containers.list().length > 0 && turn < 1000; turn++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(house.engine.containers.list(), []);
  assert.ok(!existsSync(doomedDirectory(house.settings, id)));
});

test('the directory of a container that the database does not know is kept in lost+found, an empty one is not', async () => {
  const [kept, empty] = [await house.create(['sleep']), await house.create(['sleep'])];
  await house.restart(() => {
    writeFileSync(join(directory(kept), 'file'), 'what it wrote');
    for (const id of [kept, empty]) forgetRow(id);
    renameSync(directory(empty), `${directory(empty)}-away`);
    mkdirSync(directory(empty));
  });
  assert.ok(!existsSync(directory(kept)));
  assert.deepEqual(
    (await house.engine.lostThings()).map(({ path }) => path).toSorted(),
    [`containers/${kept}`, `containers/${empty}-away`].toSorted(),
  );
  assert.equal((await house.engine.emptyLost()).length, 2);
  assert.deepEqual(await house.engine.lostThings(), []);
});

test('a container that runs and that the database does not know runs on, and its files stay', async () => {
  const id = await house.run(['sleep']);
  await house.restart(() => forgetRow(id));
  assert.deepEqual(house.engine.containers.list(), []);
  assert.equal(house.world.sandboxes.get(id as string as SandboxId)?.alive, true);
  assert.ok(existsSync(directory(id)));
});
