import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { isTwofoldError } from '@twofold/contract';
import { powershellParts } from '../setup/steps/powershell.ts';
import { findPowerShell } from './find.ts';

const signal = AbortSignal.timeout(60_000);

test("the machine's own pwsh is used from 7.4 on, and else the engine's; without either that is said", async () => {
  await using undo = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'tff-'));
  undo.defer(() => rm(directory, { recursive: true }));
  const program = async (path: string, text: string): Promise<string> => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return path;
  };
  const own = join(directory, 'bin', 'pwsh');
  const find = () => findPowerShell(join(directory, 'lib'), `/nowhere::${dirname(own)}`, signal);
  const refused = (pattern: RegExp) =>
    assert.rejects(find, (error) => isTwofoldError(error, 'unsupported') && pattern.test(error.message));

  await refused(/PowerShell 7\.4 or newer is not installed: install pwsh/);
  await program(own, 'echo PowerShell 7.3.12');
  await refused(/bin\/pwsh is 7\.3\.12/);
  const ours = await program(powershellParts(join(directory, 'lib')).program, '');
  assert.equal(await find(), ours);
  for (const version of ['7.4.0', '7.10.1', '8.0.0-preview.1']) {
    await program(own, `echo PowerShell ${version}`);
    assert.equal(await find(), own);
  }
});
