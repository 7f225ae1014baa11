import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isTwofoldError } from '@twofold/contract';
import { readCommandLine } from './command-line.ts';

const refused = (text: string) => (error: unknown) =>
  isTwofoldError(error, 'invalid-argument') && error.message.includes(text);

test('the socket follows the exec root unless it is named', () => {
  assert.equal(readCommandLine([])!.socket, '/run/twofold/twofold.sock');
  assert.equal(readCommandLine(['--exec-root', '/tmp/x'])!.socket, '/tmp/x/twofold.sock');
  assert.equal(readCommandLine(['--exec-root=/tmp/x', '-H', 'unix:///tmp/y.sock'])!.socket, '/tmp/y.sock');
});

test('the default isolation is an exec option, as dockerd on Windows has it', () => {
  assert.equal(readCommandLine(['--exec-opt', 'isolation=HyperV'])!.defaultIsolation, 'hyperv');
});

test('an invalid value is refused with what is valid', () => {
  assert.throws(() => readCommandLine(['--exec-opt', 'isolation=vm']), refused('process, hyperv'));
  assert.throws(() => readCommandLine(['--host', 'tcp://0.0.0.0:2375']), refused('unix:///path'));
  assert.throws(() => readCommandLine(['--data-root', 'relative']), refused('absolute'));
  assert.throws(() => readCommandLine(['--nonsense']), refused('--nonsense'));
  assert.throws(() => readCommandLine(['--exec-root', `/${'x'.repeat(80)}`]), refused('too long'));
  assert.throws(() => readCommandLine(['--default-address-pool', 'base=10.0.0.0/16,size=8']), refused('size'));
});

test('a size that no number holds is refused', () => {
  for (const size of ['99999999999999999999g', '9007199254740992', '1e9', '-5m', ''])
    assert.throws(() => readCommandLine(['--log-opt', `max-size=${size}`]), refused('not a valid size'), size);
  assert.equal(readCommandLine(['--log-opt', 'max-size=1.5m'])!.logMaxBytes, 1.5 * 2 ** 20);
});

test('a file has the same names, and flags win', () => {
  const directory = mkdtempSync(join(tmpdir(), 'twofold-settings-'));
  try {
    const file = join(directory, 'daemon.json');
    writeFileSync(
      file,
      JSON.stringify({
        'data-root': '/a',
        'exec-opts': ['isolation=hyperv'],
        'log-opts': { 'max-size': '10m' },
        'default-address-pools': [{ base: '10.1.0.0/16', size: 24 }],
      }),
    );
    const settings = readCommandLine(['--config-file', file, '--data-root', '/b'])!;
    assert.deepEqual(
      [settings.dataRoot, settings.defaultIsolation, settings.logMaxBytes, settings.addressPools],
      ['/b', 'hyperv', 10 << 20, [{ base: '10.1.0.0/16', size: 24 }]],
    );
    writeFileSync(file, JSON.stringify({ 'data-rot': '/a' }));
    assert.throws(() => readCommandLine(['--config-file', file]), refused('data-rot'));
    writeFileSync(file, '{');
    assert.throws(() => readCommandLine(['--config-file', file]), refused('JSON'));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
