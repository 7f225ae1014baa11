import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Command } from 'commander';
import { isTwofoldError } from '@twofold/contract';
import { defaults } from '@twofold/daemon/settings.ts';
import { daemonWords, isAsInstalled, settingsOf } from './words.ts';

const before = process.env['TWOFOLD_INSTANCE'];
after(
  () =>
    void (before === undefined ? delete process.env['TWOFOLD_INSTANCE'] : (process.env['TWOFOLD_INSTANCE'] = before)),
);

/** What `twofold WORDS…` gives to the daemon's command line. */
function wordsOf(words: readonly string[], instance?: string): string[] {
  if (instance === undefined) delete process.env['TWOFOLD_INSTANCE'];
  else process.env['TWOFOLD_INSTANCE'] = instance;
  let found: string[] = [];
  const program = new Command().option('--instance <name>').enablePositionalOptions();
  program
    .command('down')
    .option('--purge')
    .allowUnknownOption()
    .allowExcessArguments()
    .action((_options: unknown, command: Command) => void (found = daemonWords(command)));
  program.parse(words, { from: 'user' });
  return found;
}

test('without a word the default daemon is meant; the instance may stand before the verb and behind it', () => {
  assert.deepEqual(wordsOf(['down', '--purge']), []);
  assert.equal(settingsOf([]).dataRoot, defaults.dataRoot);
  assert.deepEqual(wordsOf(['--instance', 'a', 'down']), ['--instance', 'a']);
  assert.deepEqual(wordsOf(['down', '--instance', 'a', '--purge', '--data-root', '/x']), [
    '--instance',
    'a',
    '--data-root',
    '/x',
  ]);
});

test('the environment names no daemon to start or to end', () => {
  for (const words of [['down'], ['down', '--data-root', '/x']])
    assert.throws(
      () => wordsOf(words, 'a'),
      (error) => isTwofoldError(error, 'invalid-argument') && error.message.includes('--instance default'),
    );
  assert.deepEqual(wordsOf(['down', '--instance=default'], 'a'), ['--instance=default']);
  assert.deepEqual(wordsOf(['down'], 'default'), []);
});

test('a unit starts what no flag has changed', () => {
  assert.equal(isAsInstalled(settingsOf([])), true);
  assert.equal(isAsInstalled(settingsOf(['--instance', 'a'])), true);
  assert.equal(isAsInstalled(settingsOf(['--instance', 'a', '--vm-pool', '0'])), false);
});
