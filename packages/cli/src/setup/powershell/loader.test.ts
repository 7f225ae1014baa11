import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isTwofoldError } from '@twofold/contract';
import { runCommand } from '@twofold/daemon/host/command.ts';
import { loaderAndLibraries, withDirectory, withLoader } from './loader.ts';

test('a program gets another loader in the place of its own, and nothing else of it changes', async () => {
  const program = await readFile('/bin/sh');
  const changed = withLoader(program, '/dev/twofold-pwsh/ld');
  const at = changed.indexOf('/dev/twofold-pwsh/ld\0');
  assert.ok(at > 0 && program.subarray(at).toString('latin1').startsWith('/lib'));
  assert.deepEqual(withLoader(changed, program.subarray(at, program.indexOf(0, at)).toString()), program);
});

test('a path that is too long for the place is refused', async () => {
  const program = await readFile('/bin/sh');
  assert.throws(
    () => withLoader(program, `/${'x'.repeat(100)}`),
    (error) => isTwofoldError(error, 'internal'),
  );
});

test('a loader that was told of a directory finds libraries there, and none of the system', async () => {
  await using undo = new AsyncDisposableStack();
  const directory = await mkdtemp('/tmp/tfl-');
  undo.defer(() => rm(directory, { recursive: true }));
  const libraries = await loaderAndLibraries();
  const loader = join(directory, 'ld');
  await writeFile(loader, withDirectory(await readFile(libraries.get('ld')!), directory), { mode: 0o755 });
  const program = '/bin/cat';
  const list = async () =>
    (await runCommand('list libraries', [loader, '--list', program], { accept: [0, 127] })).stdout;
  assert.doesNotMatch((await list()).toString(), /libc\.so\.6 => \//);
  await copyFile(libraries.get('libc.so.6')!, join(directory, 'libc.so.6'));
  assert.match((await list()).toString(), new RegExp(`libc\\.so\\.6 => ${directory}/+libc\\.so\\.6 `));
});

test('a directory that is too long for the loader is refused', async () => {
  const loader = await readFile((await loaderAndLibraries()).get('ld')!);
  assert.throws(
    () => withDirectory(loader, `/${'x'.repeat(100)}`),
    (error) => isTwofoldError(error, 'internal'),
  );
});
