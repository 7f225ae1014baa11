// Owns the examination of crun: is it there, and has this version known holes. A distribution that has patched one says
// so in its changelog. Only holes that hold for how Twofold uses it: a runtime starts a container's first process and
// nothing else (so CVE-2026-30892, of exec, is none here), and is asked once the supervisor has seen that no symbolic
// link of an image is on the way to /dev, /proc and /sys (nor is CVE-2026-47766).

import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { runCommand } from '@twofold/daemon/host/command.ts';
import { fine, type Examination } from './finding.ts';

/** Holes and the first version without them (crun's NEWS). */
export interface Hole {
  readonly id: string;
  readonly fixedIn: readonly [number, number];
  readonly what: string;
}
export const holes: readonly Hole[] = [];

/** `crun version 1.8.1` → [1, 8]. */
export function parseVersion(text: string): readonly [number, number] | null {
  const match = /version (\d+)\.(\d+)/.exec(text);
  return match === null ? null : [Number(match[1]), Number(match[2])];
}

/** Holes of a version that the changelog does not name as patched. */
export function openHoles(known: readonly Hole[], version: readonly [number, number], changelog: string): Hole[] {
  return known.filter(
    (hole) =>
      (version[0] < hole.fixedIn[0] || (version[0] === hole.fixedIn[0] && version[1] < hole.fixedIn[1])) &&
      !changelog.includes(hole.id),
  );
}

async function distributionChangelog(): Promise<string> {
  for (const file of ['/usr/share/doc/crun/changelog.Debian.gz', '/usr/share/doc/crun/changelog.gz']) {
    const text = await readFile(file).then(
      (packed) => gunzipSync(packed).toString('utf8'),
      () => '',
    );
    if (text !== '') return text;
  }
  return '';
}

export const examineRuntime: Examination = async () => {
  const answer = await runCommand('ask crun its version', ['crun', '--version']).catch(() => null);
  if (answer === null)
    return {
      name: 'runtime',
      state: 'missing',
      found: 'crun is not installed',
      meaning: 'Containers with process isolation cannot start.',
      mend: 'twofold setup, or apt-get install crun',
    };
  const line = answer.stdout.toString('utf8').split('\n')[0] ?? '';
  const version = parseVersion(line);
  if (version === null)
    return {
      name: 'runtime',
      state: 'warning',
      found: line,
      meaning: 'The version cannot be read, so its known vulnerabilities cannot be listed.',
      mend: 'install the newest crun',
    };
  const open = openHoles(holes, version, await distributionChangelog());
  if (open.length === 0) return fine('runtime', line);
  return {
    name: 'runtime',
    state: 'warning',
    found: line,
    meaning: `Known vulnerabilities of this version: ${open.map((hole) => `${hole.id} (${hole.what})`).join('; ')}. A hostile image may break out of process isolation.`,
    mend: 'install a newer crun, or a version that your distribution has patched (its changelog does not name these)',
  };
};
