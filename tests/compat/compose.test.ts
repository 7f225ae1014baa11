// docker-compose, a client that comes back: what it has made it finds again as it asked for it.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { command } from '../support/command.ts';
import { daemonForTests } from '../support/daemon.ts';

const limit = { timeout: 240_000 };
const daemon = daemonForTests();

test('what is up is found as it is by a second `up`, and goes with `down`', limit, async () => {
  const file = join(daemon.directory, 'compose.yaml');
  await writeFile(
    file,
    `
version: '3'
services:
  one: { image: nanoserver, command: sleep 1000, networks: [lab] }
  two: { image: nanoserver, command: sleep 1000, network_mode: bridge }
networks:
  lab: { driver: bridge }
`,
  );
  const compose = async (...words: string[]) => {
    const ran = await command('docker-compose', ['--file', file, '--project-name', 'twice', ...words], {
      env: daemon.env,
    });
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  };
  const running = async () => (await daemon.ok(['ps', '--quiet', '--no-trunc'])).split('\n').toSorted();
  await compose('up', '--detach');
  const first = await running();
  assert.equal(first.length, 2);
  await compose('up', '--detach');
  assert.deepEqual(await running(), first);
  await compose('down', '--timeout', '1');
  assert.equal(await daemon.ok(['ps', '--all', '--quiet']), '');
  assert.doesNotMatch(await daemon.ok(['network', 'ls']), /lab/);
});
