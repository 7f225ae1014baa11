// What set-up has installed is whole and root's own: it runs with the checkout out of sight, nobody else may write to
// it, and a newer version takes its place without disturbing what runs.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, test } from 'node:test';
import { installedModule } from '../../packages/cli/src/setup/steps/powershell-module.ts';
import { commandFile, isOurCommand } from '../../packages/cli/src/setup/steps/command.ts';
import {
  copyTree,
  currentApp,
  currentVersion,
  installVersion,
  openToOthers,
  removeOldVersions,
} from '../../packages/cli/src/setup/app/place.ts';
import { command } from '../support/command.ts';
import { installCommand } from '../support/installed.ts';
import { leftovers } from '../support/leftovers.ts';
import { libRoot } from '../support/library.ts';
import { claimSlot } from '../support/slot.ts';

const repository = join(import.meta.dirname, '../..');
const directory = mkdtempSync(join(tmpdir(), 'tfi-'));
const installed = installCommand();
after(() => {
  installed[Symbol.dispose]();
  rmSync(directory, { recursive: true, force: true });
});

test('nobody but root may write to what set-up has installed', async () => {
  const places = [libRoot, ...((await isOurCommand()) ? [commandFile] : []), installedModule];
  assert.deepEqual((await Promise.all(places.map((place) => openToOthers(place)))).flat(), []);
});

test('the installed program serves both isolations with the checkout out of sight', async () => {
  using slot = claimSlot();
  const mark = basename(directory);
  const flags = [
    ...['--data-root', join(directory, 'd'), '--exec-root', join(directory, 'r'), '--cgroup-parent', `/${mark}`],
    ...['--bridge-prefix', slot.linkPrefix, '--default-address-pool', slot.addressPool, '--vm-pool', '0'],
    ...['--worker-uids', `${slot.workerUids.first}-${slot.workerUids.last}`],
  ].join(' ');
  const script = `
    set -eu
    mount -t tmpfs none '${repository}'
    cd /
    export TWOFOLD_HOST=unix://${directory}/r/twofold.sock
    trap '${installed.command} down --purge --yes --keep-setup ${flags} >&2' EXIT
    ${installed.command} up ${flags} >&2
    readlink /proc/$(cat ${directory}/d/daemon.pid)/exe
    for isolation in process hyperv; do
      ${installed.command} run --rm --isolation $isolation nanoserver echo $isolation
    done
    ${installed.command} images --format json >&2
    ${installed.command} doctor >&2 || echo "doctor: $?"
    ${installed.command} setup >&2
    ls -A '${repository}'`;
  const { code, stdout, stderr } = await command(
    'unshare',
    ['--mount', '--propagation', 'private', '--', 'sh', '-c', script],
    {
      env: {
        ...process.env,
        NODE_COMPILE_CACHE: '',
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      },
    },
  );
  const node = join(libRoot, 'app', (await currentVersion(libRoot))!, 'node');
  assert.deepEqual([code, stdout], [0, `${node}\nprocess\nhyperv\n`], stderr);
  assert.match(stderr, /Set-up is complete/);
  assert.doesNotMatch(stderr, /^ {2}\.\. /m, 'the installed program would make something anew that set-up has made');
  assert.deepEqual(await leftovers(directory, slot.linkPrefix, mark), []);
});

test('a newer version takes the place of the one that runs, which stays until nothing runs from it', async () => {
  const lib = join(directory, 'lib');
  const install = (text: string) =>
    installVersion(lib, '1', async (made) => {
      writeFileSync(join(made, 'text'), text, { mode: 0o666 });
      symlinkSync('/bin/sleep', join(made, 'sleep'));
    });
  const first = await install('one');
  assert.match(first, /^1-[0-9a-f]{12}$/);
  assert.equal(await install('one'), first);
  const child = spawn(join(lib, 'app', first, 'sleep'), ['60'], { stdio: 'ignore' });
  try {
    await once(child, 'spawn');
    for (const text of ['two', 'three']) {
      const before = await currentVersion(lib);
      const name = await install(text);
      await removeOldVersions(lib, before);
      assert.equal(await currentVersion(lib), name);
      assert.equal(readFileSync(join(currentApp(lib), 'text'), 'utf8'), text);
      assert.ok(existsSync(join(lib, 'app', before!)), 'a command that has just started may read it still');
      assert.ok(existsSync(join(lib, 'app', first)), 'a process runs from it');
    }
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await removeOldVersions(lib, null);
  assert.equal(existsSync(join(lib, 'app', first)), false);
  assert.deepEqual(await openToOthers(lib), []);
});

test('a version that somebody could write to is put right, and one that breaks off changes nothing', async () => {
  const lib = join(directory, 'lib');
  const name = (await currentVersion(lib))!;
  const file = join(currentApp(lib), 'text');
  chmodSync(file, 0o666);
  assert.deepEqual(await openToOthers(join(lib, 'app', name)), [join(lib, 'app', name, 'text')]);
  const copy = join(directory, 'copy');
  await copyTree(currentApp(lib), copy);
  await assert.rejects(
    installVersion(lib, '1', () => Promise.reject(new Error('no room'))),
    /no room/,
  );
  assert.equal(await currentVersion(lib), name);
  await installVersion(lib, '1', async (made) => {
    await copyTree(copy, made);
    symlinkSync('/bin/sleep', join(made, 'sleep'));
  });
  assert.equal(await currentVersion(lib), name);
  assert.deepEqual(await openToOthers(lib), []);
});

test('doctor tells of a daemon that is older than what is installed', async () => {
  const socket = join(directory, 'old.sock');
  const server = createServer((request, response) => {
    response.setHeader('API-Version', '1.47');
    response.end(request.url === '/version' ? '{"GitCommit":"0.1.0-000000000000"}' : 'OK');
  });
  await new Promise<void>((resolve) => void server.listen(socket, resolve));
  try {
    const { stdout } = await command(installed.command, ['-H', `unix://${socket}`, 'doctor', '--format', 'json']);
    const { findings } = JSON.parse(stdout) as { findings: { name: string; state: string; found: string }[] };
    const daemon = findings.find((each) => each.name === 'daemon')!;
    assert.equal(daemon.state, 'warning');
    assert.ok(
      daemon.found.endsWith(`it runs 0.1.0-000000000000, but ${await currentVersion(libRoot)} is installed`),
      daemon.found,
    );
  } finally {
    server.close();
  }
});
