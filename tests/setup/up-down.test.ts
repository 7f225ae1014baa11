// The CLI's up, down and purge on roots of their own, beside whatever daemon this machine has.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, test } from 'node:test';
import { command } from '../support/command.ts';
import { leftovers } from '../support/leftovers.ts';
import { claimSlot } from '../support/slot.ts';

const slot = claimSlot();
const directory = mkdtempSync(join(tmpdir(), 'tfu-'));
const main = join(import.meta.dirname, '../../packages/cli/src/main.ts');
const settings = [
  '--data-root',
  join(directory, 'data'),
  '--exec-root',
  join(directory, 'run'),
  '--bridge-prefix',
  slot.linkPrefix,
  '--cgroup-parent',
  `/${basename(directory)}`,
  '--default-address-pool',
  slot.addressPool,
  '--worker-uids',
  `${slot.workerUids.first}-${slot.workerUids.last}`,
];
const twofold = (...words: string[]) =>
  command(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...words]);
const docker = (...words: string[]) =>
  command('docker', words, {
    env: { ...process.env, DOCKER_HOST: `unix://${join(directory, 'run/twofold.sock')}`, DOCKER_CONFIG: directory },
  });

after(async () => {
  await twofold('down', '--purge', '--yes', '--keep-setup', ...settings);
  const left = await leftovers(directory, slot.linkPrefix, basename(directory));
  rmSync(directory, { recursive: true, force: true });
  slot[Symbol.dispose]();
  assert.deepEqual(left, []);
});

test('down without a daemon says so and does no harm', async () => {
  const { code, stdout } = await twofold('down', ...settings);
  assert.equal(code, 0);
  assert.match(stdout, /was not up/);
});

test('up names the setting that cannot be, and starts nothing', async () => {
  const { code, stderr } = await twofold('up', ...settings, '--exec-opt', 'isolation=vm');
  assert.notEqual(code, 0);
  assert.match(stderr, /process, hyperv/);
});

test('up returns when the daemon answers, and a second up finds it', async () => {
  const first = await twofold('up', ...settings);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /twofoldd is up: unix:\/\//);
  assert.equal((await docker('version')).code, 0);
  assert.match((await twofold('up', ...settings)).stdout, /already up/);
});

test('doctor tells of the daemon that it was pointed at, for people and for programs', async () => {
  const { stdout } = await twofold('-H', `unix://${join(directory, 'run/twofold.sock')}`, 'doctor', '--format', 'json');
  const report = JSON.parse(stdout) as { findings: { name: string; state: string; found: string }[] };
  assert.equal(report.findings.find((each) => each.name === 'daemon')?.state, 'ok');
  for (const name of ['packages', 'native', 'kernel', 'accelerator', 'runtime', 'cgroups', 'network', 'disk'])
    assert.ok(
      report.findings.some((each) => each.name === name),
      name,
    );
});

test('a second daemon on the same data root is refused and named', async () => {
  const { code, stderr } = await twofold('up', ...settings, '-H', `unix://${join(directory, 'other.sock')}`);
  assert.notEqual(code, 0);
  assert.match(stderr, /Another Twofold daemon/);
});

test('down leaves running containers alone, and a purge takes them and everything else', async () => {
  const run = await docker('run', '-d', '--name', 'stays', 'nanoserver', 'sleep', '300');
  assert.equal(run.code, 0, run.stderr);
  assert.equal((await twofold('down', ...settings)).code, 0);
  assert.notEqual((await docker('version')).code, 0);
  assert.notDeepEqual(await leftovers(directory, slot.linkPrefix, basename(directory)), []);
  assert.equal((await twofold('up', ...settings)).code, 0);
  assert.match((await docker('ps', '--format', '{{.Names}} {{.Status}}')).stdout, /^stays Up/);
  assert.equal((await twofold('down', ...settings)).code, 0);
  // With no daemon to ask: the sweep alone.
  const purge = await twofold('down', '--purge', '--yes', '--keep-setup', ...settings);
  assert.equal(purge.code, 0, purge.stderr);
  assert.deepEqual(await leftovers(directory, slot.linkPrefix, basename(directory)), []);
  assert.equal(existsSync(join(directory, 'data')), false);
});
