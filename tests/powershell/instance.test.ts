// Which daemon the module asks: the same as the command `twofold` does in the same environment.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTwofoldError } from '@twofold/contract';
import { socketPathOf } from '@twofold/verbs/connect.ts';
import { noPowerShell, runForJson } from '../support/powershell.ts';

const places = ['', 'default', 'blue', 'b-1', 'Blue', '../x', 'x'.repeat(16), 'x'.repeat(17), 'x\n'];
const environments = [
  ...places.map((TWOFOLD_INSTANCE) => ({ TWOFOLD_HOST: '', TWOFOLD_INSTANCE })),
  { TWOFOLD_HOST: 'unix:///x', TWOFOLD_INSTANCE: 'blue' },
  { TWOFOLD_HOST: 'tcp://x', TWOFOLD_INSTANCE: 'blue' },
];

/** The socket that the command would ask; null where it refuses. */
function meantBy(environment: NodeJS.ProcessEnv): string | null {
  try {
    return socketPathOf({}, environment);
  } catch (error) {
    assert.ok(isTwofoldError(error, 'invalid-argument'), String(error));
    return null;
  }
}

test('the module and the command mean the same daemon by the same environment', { skip: noPowerShell }, async () => {
  const script = `
      foreach ($each in '${JSON.stringify(environments)}' | ConvertFrom-Json) {
        foreach ($name in 'TWOFOLD_HOST', 'TWOFOLD_INSTANCE') { [Environment]::SetEnvironmentVariable($name, $each.$name) }
        & (Get-Module Containers) { try { Get-EngineSocketPath } catch { '' } }
      }`;
  const found = await runForJson<string[]>(script, process.env);
  assert.deepEqual(
    found,
    environments.map((each) => meantBy(each) ?? ''),
  );
});
