// What a daemon keeps on disk: nobody but root sees it, and nothing of it is lost when the database is.

import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { command } from '../support/command.ts';
import { daemonForTests } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';

const daemon = daemonForTests();

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
