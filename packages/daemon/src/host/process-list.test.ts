import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layerToolError } from './layer-tool.ts';
import { parseProcessList } from './process-list.ts';

test('processes come back with their arguments', () => {
  const one = '12 5 4 8\nstat\nst\n\nsh\0-c\0é';
  assert.deepEqual(parseProcessList(Buffer.from(`${one}7 1 1 0\nab`)), [
    { pid: 12, stat: 'stat\n', status: 'st\n\n', cmdline: ['sh', '-c', 'é'] },
    { pid: 7, stat: 'a', status: 'b', cmdline: [] },
  ]);
  assert.deepEqual(parseProcessList(Buffer.alloc(0)), []);
});

test('a list that is cut off or none at all is a broken peer', () => {
  for (const text of ['12 5 4 8\nstat\n', '12 5 4', 'x', '1 1 1 1 1\nabc', '-1 0 0 0\n', `${'9'.repeat(100)}\n`])
    assert.throws(() => parseProcessList(Buffer.from(text)), { code: 'protocol' });
});

test("the tool's line is an error with its code, anything else an internal one", () => {
  assert.equal(layerToolError('path-not-found No such file: x\n').code, 'path-not-found');
  assert.equal(layerToolError('noise\nno-space Could not write: full\n').message, 'Could not write: full');
  for (const text of ['', 'Segmentation fault', 'made-up-code oh']) assert.equal(layerToolError(text).code, 'internal');
});
