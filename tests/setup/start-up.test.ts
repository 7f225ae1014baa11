// What a start of the CLI costs before it does anything: parts of Node that nothing of ours needs are not loaded.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { command } from '../support/command.ts';

const main = join(import.meta.dirname, '../../packages/cli/src/main.ts');
const tellLoaded = 'data:text/javascript,process.on("exit", () => console.log(process.moduleLoadList.join("\\n")))';

test('asking a daemon loads HTTP, and neither fetch nor HTTP/2 nor TLS', async () => {
  const { code, stdout, stderr } = await command(process.execPath, [
    '--import',
    tellLoaded,
    main,
    '--host',
    'unix:///none.sock',
    'ps',
  ]);
  assert.deepEqual([code, /No daemon answers/.test(stderr)], [1, true], stderr);
  const loaded = stdout.split('\n').map((line) => line.replace('NativeModule ', ''));
  assert.ok(loaded.includes('http'), stdout);
  assert.deepEqual(
    loaded.filter((name) => ['internal/deps/undici/undici', 'http2', 'tls'].includes(name)),
    [],
  );
});
