// Owns finding what a daemon under test left behind on the host. Looks at the kernel's tables only.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { command } from './command.ts';
import { processesNaming } from './processes.ts';

/**
 * Processes that were started with a path below `directory`, mounts below it, links named with `linkPrefix`, nftables
 * tables and cgroups that carry `mark`: one line each, empty when everything is clean.
 */
export async function leftovers(directory: string, linkPrefix: string, mark: string): Promise<string[]> {
  const found: string[] = [];
  for (const line of processesNaming(directory)) found.push(`process ${line}`);
  for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n'))
    if (line.includes(directory)) found.push(`mount: ${line.slice(0, 200)}`);
  for (const name of readdirSync('/sys/class/net')) if (name.startsWith(linkPrefix)) found.push(`link: ${name}`);
  const tables = await command('nft', ['list', 'tables']);
  for (const line of tables.stdout.split('\n')) if (line.includes(`_${linkPrefix}`)) found.push(`nftables: ${line}`);
  for (const path of cgroupsNamed(mark)) found.push(`cgroup: ${path}`);
  return found;
}

function cgroupsNamed(mark: string): string[] {
  const roots = ['/sys/fs/cgroup', ...listQuietly('/sys/fs/cgroup').map((name) => join('/sys/fs/cgroup', name))];
  return roots.flatMap((root) =>
    listQuietly(root)
      .filter((name) => name === mark)
      .map((name) => join(root, name)),
  );
}

function listQuietly(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}
