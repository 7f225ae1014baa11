// What a daemon keeps on disk: nobody but root sees it, and nothing of it is lost when the database is.

import assert from 'node:assert/strict';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { command, type CommandResult } from '../support/command.ts';
import { daemonForTests, startDaemon } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';
import { until } from '../support/until.ts';

const CLI = join(import.meta.dirname, '../../packages/cli/src/main.ts');
const daemon = daemonForTests();
const twofold = (words: readonly string[]): Promise<CommandResult> => command(process.execPath, [CLI, ...words]);

const IMAGE = 'nanoserver';

/** What a user without any right can open below the data and run roots, for reading or writing. */
async function openToNobody(): Promise<string[]> {
  chmodSync(daemon.directory, 0o711); // the way to the roots is as open as /var/lib and /run are
  const paths: string[] = [];
  for (const root of [daemon.dataRoot, daemon.runRoot]) {
    paths.push(root);
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true }))
      if (!entry.isSymbolicLink()) paths.push(join(entry.parentPath, entry.name));
  }
  assert.ok(paths.length > 30, 'there is something to find');
  const script = 'while IFS= read -r path; do if [ -r "$path" ] || [ -w "$path" ]; then echo "$path"; fi; done';
  const words = ['--reuid=65534', '--regid=65534', '--clear-groups', 'sh', '-c', script];
  const { code, stdout, stderr } = await command('setpriv', words, { input: `${paths.join('\n')}\n` });
  assert.equal(code, 0, stderr);
  return stdout.split('\n').filter((line) => line !== '');
}

test('a user without rights opens no file of the data and run roots, while containers of both kinds run', async () => {
  for (const isolation of isolations)
    await daemon.ok(
      [
        'run',
        '--detach',
        '--interactive',
        `--isolation=${isolation}`,
        '--name',
        isolation,
        '--env',
        'PASSWORD=secret',
      ].concat([IMAGE, 'cat']),
    );
  assert.deepEqual(await openToNobody(), []);
});

test('a data root that an earlier version left open is closed at the start, and its containers run on', async () => {
  await daemon.kill();
  chmodSync(daemon.dataRoot, 0o711);
  for (const name of await readdir(daemon.dataRoot))
    if (/^(state\.db|lock\.db|daemon\.pid)/.test(name)) chmodSync(join(daemon.dataRoot, name), 0o644);
  assert.notDeepEqual(await openToNobody(), [], 'it is seen where something is open');
  await daemon.start();
  assert.deepEqual(await openToNobody(), []);
  for (const isolation of isolations) {
    assert.equal(await daemon.ok(['inspect', '--format', '{{.State.Running}}', isolation]), 'true');
    assert.equal(await daemon.ok(['exec', isolation, 'sh', '-c', 'cat /etc/hosts >/dev/null && echo seen']), 'seen');
  }
  await daemon.ok(['rm', '--force', ...isolations]);
});

const filesBelow = async (...names: string[]): Promise<string[]> =>
  (await Promise.all(names.map((name) => readdir(join(daemon.dataRoot, name))))).flat().toSorted();
const databaseFiles = () => ['state.db', 'state.db-wal', 'state.db-shm'].map((name) => join(daemon.dataRoot, name));

test('without its database, or with another, the daemon refuses to start, deletes nothing, and says how to go on', async () => {
  await daemon.ok(['create', '--name', 'kept', IMAGE]);
  await daemon.kill('SIGTERM');
  const before = await filesBelow('containers', 'layers', 'blobs/sha256');
  const aside = join(daemon.directory, 'aside.db');
  renameSync(join(daemon.dataRoot, 'state.db'), aside);

  await assert.rejects(daemon.start(), /state\.db does not exist.*twofold recover/);
  await using other = await startDaemon();
  await other.kill('SIGTERM');
  cpSync(join(other.dataRoot, 'state.db'), join(daemon.dataRoot, 'state.db'));
  await assert.rejects(daemon.start(), /state\.db belongs to another data root.*twofold recover/);
  for (const path of databaseFiles()) rmSync(path, { force: true });
  writeFileSync(join(daemon.dataRoot, 'state.db'), '');
  await assert.rejects(daemon.start(), /state\.db is empty.*twofold recover/);

  assert.deepEqual(await filesBelow('containers', 'layers', 'blobs/sha256'), before);
  for (const path of databaseFiles()) rmSync(path, { force: true });
  renameSync(aside, join(daemon.dataRoot, 'state.db'));
  await daemon.start();
  assert.equal(await daemon.ok(['rm', 'kept']), 'kept');
});

test('what has no row goes to lost+found, which `system df` and the doctor show and `prune` empties', async () => {
  await daemon.kill('SIGTERM');
  const id = 'c'.repeat(64);
  const digest = 'd'.repeat(64);
  mkdirSync(join(daemon.dataRoot, 'containers', id, 'writable'), { recursive: true });
  writeFileSync(join(daemon.dataRoot, 'containers', id, 'writable', 'file'), Buffer.alloc(100_000, 1));
  writeFileSync(join(daemon.dataRoot, 'layers', `${digest}.erofs`), Buffer.alloc(100_000, 1));
  writeFileSync(join(daemon.dataRoot, 'blobs/sha256', digest), Buffer.alloc(100_000, 1));
  await daemon.start();

  const shown = (await daemon.ok(['system', 'df', '--verbose']))
    .split('\n')
    .filter((line) => line.includes('lost+found'));
  assert.equal(shown.length, 3, shown.join('\n'));
  assert.match(await daemon.ok(['system', 'df']), /^Build Cache +3 +0 +3\d\d.*kB +3\d\d.*kB/m);
  const doctor = await twofold(['doctor', '--data-root', daemon.dataRoot]);
  assert.match(doctor.stdout, /lost\+found: 3 things in .*containers\/cccc/);

  assert.match(await daemon.ok(['builder', 'prune', '--force']), /Total.*3\d\d.*kB/);
  assert.doesNotMatch(await daemon.ok(['system', 'df', '--verbose']), /lost\+found/);
  assert.deepEqual(await filesBelow('lost+found'), []);
});

test('`twofold recover` makes containers, images and switches of both kinds known again, and what ran runs on', async () => {
  await daemon.ok(['network', 'create', 'backbone']);
  await daemon.ok(['tag', IMAGE, 'example.test/mine:v1']);
  for (const isolation of isolations) {
    const flags = ['--interactive', `--isolation=${isolation}`, '--network', 'backbone', '--env', 'WORD=told'];
    await daemon.ok(['run', '--detach', '--name', `runs-${isolation}`, ...flags, IMAGE, 'cat']);
    await daemon.ok([
      'run',
      '--name',
      `rests-${isolation}`,
      ...flags,
      IMAGE,
      'sh',
      '-c',
      'cat /kept; echo $WORD >/kept',
    ]);
  }
  const tags = async () => (await daemon.ok(['images', '--no-trunc'])).split('\n').toSorted();
  const images = await tags();
  const addressOf = (name: string) =>
    daemon.ok(['inspect', '--format', '{{.NetworkSettings.Networks.backbone.IPAddress}}', name]);
  const addresses = await Promise.all(isolations.map((isolation) => addressOf(`runs-${isolation}`)));
  const ids = (await daemon.ok(['ps', '--all', '--no-trunc', '--quiet'])).split('\n').toSorted();
  await until('all are described', async () =>
    (await Promise.all(ids.map((id) => readdir(join(daemon.dataRoot, 'containers', id))))).every((names) =>
      names.includes('container.json'),
    ),
  );
  await daemon.kill();
  for (const path of databaseFiles()) rmSync(path, { force: true });

  const { code, stdout, stderr } = await twofold(['recover', ...daemon.flags]);
  assert.equal(code, 0, stdout + stderr);
  await daemon.start();

  assert.deepEqual((await daemon.ok(['ps', '--all', '--no-trunc', '--quiet'])).split('\n').toSorted(), ids);
  assert.deepEqual(await tags(), images);
  for (const [index, isolation] of isolations.entries()) {
    assert.equal(await daemon.ok(['exec', `runs-${isolation}`, 'sh', '-c', 'echo $WORD']), 'told');
    assert.equal(await addressOf(`runs-${isolation}`), addresses[index]);
    assert.equal(await daemon.ok(['start', '--attach', `rests-${isolation}`]), 'told', 'what it wrote is there');
  }
  const fresh = await daemon.ok(['run', '--rm', '--network', 'backbone', IMAGE, 'hostname', '-i']);
  assert.ok(!addresses.includes(fresh), 'an address in use is not given away');
  await daemon.ok(['rm', '--force', ...ids]);
  await daemon.ok(['network', 'rm', 'backbone']);
});

test('an address that two running containers say they have stops no recovery', async () => {
  const run = (name: string) => daemon.ok(['run', '--detach', '--name', name, IMAGE, 'sleep', '1000']);
  const [first, second] = [await run('first'), await run('second')];
  const descriptionOf = (id: string) => join(daemon.dataRoot, 'containers', id, 'container.json');
  const described = (id: string) => readFileSync(descriptionOf(id), 'utf8');
  const addressIn = (text: string) => /"lease":\{[^}]*"address":"([\d.]+)"/.exec(text)?.[1];
  await until('both are described with their addresses', () =>
    [first, second].every((id) => existsSync(descriptionOf(id)) && addressIn(described(id)) !== undefined),
  );
  await daemon.kill();
  const taken = addressIn(described(first))!;
  writeFileSync(descriptionOf(second), described(second).replaceAll(addressIn(described(second))!, taken));
  for (const path of databaseFiles()) rmSync(path, { force: true });

  const { code, stdout, stderr } = await twofold(['recover', ...daemon.flags]);
  assert.equal(code, 1, stderr);
  assert.match(stdout, /recovered: container first\nrecovered: container second\n/);
  assert.match(stdout, new RegExp(`not recovered: address ${taken} of second, since first has it too`));
  await daemon.start();
  await daemon.ok(['restart', '--time', '0', 'second']);
  const now = await daemon.ok(['inspect', '--format', '{{.NetworkSettings.IPAddress}}', 'first', 'second']);
  assert.equal(new Set(now.split('\n')).size, 2, now);
  await daemon.ok(['rm', '--force', 'first', 'second']);
});
