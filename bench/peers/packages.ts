// Owns installing the peers' Debian packages: by the bench only, without starting their services.

import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { runCommand } from '../run.ts';

const POLICY = '/usr/sbin/policy-rc.d';

/** Installs `packages` when `program` isn't there. The services that they bring are not started (policy-rc.d). */
export async function installFor(program: string, packages: readonly string[]): Promise<void> {
  if (existsSync(program)) return;
  process.stderr.write(`installing ${packages.join(', ')} …\n`);
  const ours = !existsSync(POLICY);
  if (ours) await writeFile(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await runCommand('apt-get', ['update', '-qq'], { env });
    await runCommand('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { env });
  } finally {
    if (ours) await rm(POLICY);
  }
}
