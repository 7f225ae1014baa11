// A container's files from outside: cp both ways, diff, export, commit; running and stopped; and both isolations must
// tell the same.

import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Isolation } from '@twofold/contract';
import { command } from '../support/command.ts';
import { daemonForTests } from '../support/daemon.ts';
import { isolations } from '../support/isolations.ts';

const IMAGE = 'nanoserver';
const patient = { timeoutMs: 240_000 };
const limit = { timeout: 600_000 };

const daemon = daemonForTests();
let place: string;
before(() => {
  place = mkdtempSync(join(tmpdir(), 'tft-files-'));
  mkdirSync(join(place, 'in/sub'), { recursive: true });
  writeFileSync(join(place, 'in/sub/file'), Buffer.from([0, 255, 10, 13, 0]));
  chmodSync(join(place, 'in/sub/file'), 0o640);
  symlinkSync('sub/file', join(place, 'in/link'));
  writeFileSync(join(place, 'in/large'), Buffer.alloc(5_000_000, 'large '));
});
after(() => rmSync(place, { recursive: true, force: true }));

const ok = (...words: string[]) => daemon.ok(words, patient);

/** Copies in and out again, and tells what came back; every refusal's words too. */
async function copy(name: string, round: string): Promise<void> {
  const out = join(place, `out-${name}-${round}`);
  await ok('cp', `${place}/in`, `${name}:/srv/${round}`);
  await ok('cp', `${name}:/srv/${round}`, out);
  assert.deepEqual(readFileSync(join(out, 'sub/file')), readFileSync(join(place, 'in/sub/file')));
  assert.equal(statSync(join(out, 'sub/file')).mode & 0o7777, 0o640);
  assert.equal(readlinkSync(join(out, 'link')), 'sub/file');
  assert.ok(readFileSync(join(out, 'large')).equals(readFileSync(join(place, 'in/large'))));
}

async function refusals(name: string): Promise<string[]> {
  const told: string[] = [];
  for (const words of [
    ['cp', `${name}:/no/such`, '-'],
    ['cp', `${place}/in/large`, `${name}:/no/such/place/`],
    ['cp', `${place}/in`, `${name}:/etc/passwd`],
  ]) {
    const { code, stderr } = await daemon.docker(words, patient);
    assert.notEqual(code, 0, words.join(' '));
    // The client's own complaints come and go with time; the last line is what it was told.
    told.push(
      stderr
        .split('\n')
        .filter((line) => !line.startsWith('time='))
        .join('\n')
        .replaceAll(name, 'NAME')
        .replaceAll(/[0-9a-f]{64}/g, 'ID'),
    );
  }
  return told;
}

/** Names, kinds, modes, owners and sizes in a tar; times of the moment left out. */
async function entries(tar: Buffer): Promise<string[]> {
  const { stdout } = await command('tar', ['--numeric-owner', '-tvf', '-'], { input: tar });
  return stdout
    .split('\n')
    .map((line) => line.replace(/ \d{4}-\d\d-\d\d \d\d:\d\d /, ' ').replaceAll(/ +/g, ' '))
    .filter((line) => line !== '')
    .sort();
}

async function story(isolation: Isolation): Promise<Record<string, unknown>> {
  const name = `files-${isolation}`;
  const image = `made-${isolation}`;
  const told: Record<string, unknown> = {};
  await ok(
    'create',
    '--name',
    name,
    `--isolation=${isolation}`,
    '--env',
    'FROM=container',
    '--workdir',
    '/srv',
    IMAGE,
    'sh',
    '-c',
    'cat /srv/created/sub/file | xxd; rm /bin/base64; echo new > /tmp/new; chmod 700 /home; mkdir /srv/dir; echo ready; sleep 600',
  );
  // Created, never started.
  await copy(name, 'created');
  await ok('start', name);
  while (!(await ok('logs', name)).includes('ready')) await new Promise((resolve) => setTimeout(resolve, 100));
  told['what was copied before the start'] = await ok('logs', name);

  await copy(name, 'running');
  told['refused while running'] = await refusals(name);
  told['seen inside'] = await ok(
    'exec',
    name,
    'sh',
    '-c',
    'cd /srv/running; find . | sort | while read f; do if [ -d "$f" ]; then stat -c "%n %f %u:%g" "$f"; else stat -c "%n %f %s %u:%g" "$f"; fi; done; md5sum large',
  );
  told['changed while running'] = await ok('diff', name);
  told['exported while running'] = await entries((await daemon.docker(['export', name], patient)).bytes);
  await ok(
    'commit',
    '--message',
    'while running',
    '--author',
    'me',
    '--change',
    'ENV MORE=1',
    '--change',
    'CMD ["cat", "/tmp/new"]',
    name,
    image,
  );
  assert.equal(await ok('exec', name, 'echo', 'still here'), 'still here');
  told['config of the image'] = await ok(
    'image',
    'inspect',
    '--format',
    '{{.Config.Env}} {{.Config.Cmd}} {{.Config.WorkingDir}} {{.Comment}} {{.Author}}',
    image,
  );
  told['run from the image'] = await ok(
    'run',
    '--rm',
    `--isolation=${isolation}`,
    image,
    'sh',
    '-c',
    'cat /tmp/new; env | grep -E "FROM|MORE"; ls /srv /bin/base64; stat -c %a /home; md5sum /srv/running/large',
  );

  await ok('stop', '--time', '0', name);
  await copy(name, 'stopped');
  told['refused while stopped'] = await refusals(name);
  told['changed in the end'] = await ok('diff', name);
  told['exported in the end'] = await entries((await daemon.docker(['export', name], patient)).bytes);
  return told;
}

test(
  'files are copied, told, exported and committed the same under both isolations, running or not',
  limit,
  async () => {
    const stories = [];
    for (const isolation of isolations) stories.push(await story(isolation));
    const [first, second] = stories as [Record<string, unknown>, Record<string, unknown>];
    for (const [what, told] of Object.entries(first)) assert.deepEqual(second[what], told, what);
    const changes = (first['changed in the end'] as string).split('\n');
    for (const line of ['D /bin/base64', 'C /bin', 'A /tmp/new', 'C /home', 'A /srv/stopped/sub/file', 'A /srv/dir'])
      assert.ok(changes.includes(line), line);
    assert.match(
      String((first['refused while running'] as string[])[0]),
      /Could not find the file \/no\/such in container NAME/,
    );
  },
);

test('nothing is written into a container whose root is read-only', limit, async () => {
  await ok('create', '--name', 'sealed', '--isolation=process', '--read-only', IMAGE, 'true');
  const { code, stderr } = await daemon.docker(['cp', `${place}/in/large`, 'sealed:/tmp/x'], patient);
  assert.notEqual(code, 0);
  assert.match(stderr, /read-only/);
});
