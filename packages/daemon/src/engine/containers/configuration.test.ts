import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerConfig, ContainerId } from '@twofold/contract';
import { mergeConfiguration } from './configuration.ts';

const image = { Entrypoint: ['/init'], Cmd: ['serve'] };
const runs = (asked: ContainerConfig): unknown => {
  const { Entrypoint, Cmd } = mergeConfiguration('c'.repeat(64) as ContainerId, asked, image);
  return [Entrypoint, Cmd];
};

test('entrypoint and command are merged as dockerd does it', () => {
  assert.deepEqual(runs({}), [['/init'], ['serve']]);
  assert.deepEqual(runs({ Cmd: ['other'] }), [['/init'], ['other']]);
  assert.deepEqual(runs({ Cmd: [] }), [['/init'], ['serve']]);
  assert.deepEqual(runs({ Entrypoint: ['sh'] }), [['sh'], []]);
  assert.deepEqual(runs({ Entrypoint: [] }), [[], ['serve']]);
  assert.deepEqual(runs({ Entrypoint: [], Cmd: ['other'] }), [[], ['other']]);
  assert.deepEqual(runs({ Entrypoint: [''], Cmd: ['other'] }), [[], ['other']]);
  assert.throws(() => runs({ Entrypoint: [''] }), { code: 'invalid-argument', message: 'no command specified' });
});
