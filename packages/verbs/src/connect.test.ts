import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTwofoldError } from '@twofold/contract/errors.ts';
import { Twofold, TwofoldApiError } from '@twofold/sdk';
import { explained, socketPathOf } from './connect.ts';

test('a word wins over the environment, and an address over a name', () => {
  const both = { TWOFOLD_HOST: 'unix:///env', TWOFOLD_INSTANCE: 'env' };
  assert.equal(socketPathOf({}, {}), '/run/twofold/twofold.sock');
  assert.equal(socketPathOf({}, both), '/env');
  assert.equal(socketPathOf({}, { TWOFOLD_INSTANCE: 'env' }), '/run/twofold-env/twofold.sock');
  assert.equal(socketPathOf({ instance: 'word' }, both), '/run/twofold-word/twofold.sock');
  assert.equal(socketPathOf({ instance: 'default' }, both), '/run/twofold/twofold.sock');
  assert.equal(socketPathOf({ host: 'unix:///word' }, both), '/word');
  for (const address of [{ host: '/a', instance: 'a' }, { host: 'tcp://a' }, { instance: 'A' }])
    assert.throws(
      () => socketPathOf(address, {}),
      (error) => isTwofoldError(error, 'invalid-argument'),
    );
});

test('the SDK finds an instance at the same place, and how to start it is said with its name', async () => {
  await using twofold = new Twofold({ instance: 'blue' });
  assert.equal(twofold.socketPath, socketPathOf({ instance: 'blue' }, {}));
  const gone = new TwofoldApiError(0, 'none', { cause: Object.assign(new Error('none'), { code: 'ENOENT' }) });
  assert.match(String(explained(gone, twofold.socketPath)), /Start it: sudo twofold --instance blue up/);
  assert.match(String(explained(gone, socketPathOf({}, {}))), /Start it: sudo twofold up/);
});
