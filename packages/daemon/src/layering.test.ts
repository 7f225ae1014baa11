// The walls of the house: which room may import which. Imports go down only, and rooms on one floor do not know each
// other.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const packages = resolve(import.meta.dirname, '../..');

/** Contracts of a room that the floor above, and rooms that hand their shapes on, may name. */
const contracts = ['daemon/drivers/driver.ts', 'daemon/images/images.ts', 'daemon/networks/networks.ts'];
const groundFloor = ['contract', 'daemon/settings', 'daemon/host'];
const allowed: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  sdk: ['contract'],
  // Verbs run at a shell and in the daemon, so they know neither of the two: only its API, by the SDK.
  verbs: ['contract', 'sdk'],
  // Set-up makes and probes the utility VM that the drivers describe; up and down read the daemon's flags, and a purge
  // needs no daemon.
  cli: [
    'contract',
    'sdk',
    'verbs',
    'daemon/host',
    'daemon/settings',
    'daemon/command-line',
    'daemon/drivers',
    'daemon/instances',
    'daemon/sweep',
    'daemon/recover',
    'daemon/state',
  ],
  'daemon/settings': ['contract'],
  'daemon/host': ['contract'],
  'daemon/state': groundFloor,
  'daemon/drivers': groundFloor,
  'daemon/images': [...groundFloor, 'daemon/state'],
  'daemon/networks': [...groundFloor, 'daemon/state'],
  'daemon/logs': groundFloor,
  'daemon/engine': [...groundFloor, 'daemon/state', 'daemon/logs', ...contracts],
  'daemon/api': ['contract', 'daemon/engine', ...contracts],
};
/**
 * The builder and its papers may know everything; so may tests, which put a house together. The API room is given the
 * running of verbs as a function, since what a verb does lies above it: the verb is a client of that very room.
 */
const builders = [
  'daemon/main',
  'daemon/daemon',
  'daemon/command-line',
  'daemon/build-drivers',
  'daemon/run-verb',
  'daemon/sweep',
  'daemon/recover',
  'daemon/instances',
  'daemon/apart',
];

/** `daemon/engine` for a file in packages/daemon/src/engine, `daemon/main` for packages/daemon/src/main.ts. */
function roomOf(path: string): string {
  const [name = '', , ...rest] = relative(packages, path).split('/');
  if (name !== 'daemon') return name;
  return `daemon/${rest[0]!.replace(/\.ts$/, '')}`;
}

function* sources(directory: string): Iterable<string> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory() && entry.name !== 'node_modules') yield* sources(path);
    else if (entry.name.endsWith('.ts')) yield path;
  }
}

/** The room, or the file itself where it is a contract that may be named by itself. */
function importsOf(file: string): string[] {
  const targets: string[] = [];
  for (const [, target = ''] of readFileSync(file, 'utf8').matchAll(
    /(?:from|import)\s*\(?\s*'((?:\.|@twofold\/)[^']*)'/g,
  )) {
    const path = target.startsWith('.')
      ? resolve(dirname(file), target)
      : join(packages, target.split('/')[1]!, 'src', target.split('/').slice(2).join('/'));
    const own = relative(packages, path).replace('/src/', '/');
    targets.push(contracts.includes(own) ? own : roomOf(path));
  }
  return targets;
}

for (const name of readdirSync(packages).filter((each) => existsSync(join(packages, each, 'src')))) {
  test(`imports of ${name} go down only`, () => {
    const wrong: string[] = [];
    for (const file of sources(join(packages, name, 'src'))) {
      const room = roomOf(file);
      if (builders.includes(room) || file.endsWith('.test.ts') || file.endsWith('simulated-house.ts')) continue;
      for (const target of importsOf(file)) {
        if (target === room || target.startsWith(`${room}/`) || allowed[room]?.includes(target)) continue;
        wrong.push(`${relative(packages, file)} imports ${target}`);
      }
    }
    assert.deepEqual(wrong, []);
  });
}
