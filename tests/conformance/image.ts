// Owns the image that the conformance suite runs: busybox and a passwd file, as an EROFS layer made by the
// distribution's mkfs.erofs.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { MAX_GROUPS } from '@twofold/contract';
import type { RootfsLayer } from '../../packages/daemon/src/drivers/driver.ts';

const applets = [
  'sh',
  'cat',
  'echo',
  'sleep',
  'true',
  'false',
  'id',
  'ls',
  'head',
  'tail',
  'wc',
  'stty',
  'kill',
  'hostname',
  'ip',
  'dd',
  'sha256sum',
  'ps',
  'touch',
  'rm',
  'mkdir',
  'mount',
  'chmod',
  'stat',
  'tr',
  'seq',
  'nproc',
  'cmd',
  'trap',
  'test',
  'env',
  'grep',
  'tty',
  'yes',
  'tar',
];

/** Two layers, top first: one file over the other's, and the busybox system below. Made once in `directory`. */
export function testLayers(directory: string): RootfsLayer[] {
  mkdirSync(directory, { recursive: true });
  return [
    layer(directory, 'conformtop', (root) => {
      mkdirSync(join(root, 'etc'), { recursive: true });
      writeFileSync(join(root, 'etc', 'layer'), 'top\n');
    }),
    layer(directory, 'conformbase', baseSystem),
  ];
}

/** One layer of the caller's making. */
export function layer(directory: string, name: string, fill: (root: string) => void): RootfsLayer {
  const path = join(directory, `${name}.erofs`);
  if (existsSync(path)) return { path, name };
  const root = join(directory, `${name}.root`);
  mkdirSync(root, { recursive: true });
  fill(root);
  execFileSync('mkfs.erofs', ['--quiet', '-T0', '--all-root', `${path}.new`, root], { stdio: 'ignore' });
  renameSync(`${path}.new`, path);
  rmSync(root, { recursive: true });
  return { path, name };
}

function baseSystem(root: string): void {
  for (const name of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'root', 'home'])
    mkdirSync(join(root, name), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  mkdirSync(join(root, 'closed'), { mode: 0o700 });
  symlinkSync('/nowhere/else', join(root, 'dangling'));
  copyFileSync('/bin/busybox', join(root, 'bin', 'busybox'));
  chmodSync(join(root, 'bin', 'busybox'), 0o755);
  for (const name of applets) symlinkSync('busybox', join(root, 'bin', name));
  writeFileSync(join(root, 'etc', 'layer'), 'base\n');
  writeFileSync(
    join(root, 'etc', 'passwd'),
    'root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home:/bin/sh\nmany:x:1001:1001::/:\ncrowd:x:1002:1002::/:\n',
  );
  // As many as there may be, with a user's own; and each twice, which counts once.
  const crowd = Array.from({ length: MAX_GROUPS - 1 }, (_, index) => `g${index}:x:${100_000 + index}:crowd,many\n`);
  writeFileSync(
    join(root, 'etc', 'group'),
    ['root:x:0:\nalice:x:1000:\naudio:x:29:alice\n', ...crowd, ...crowd, 'one-more:x:7:crowd\n'].join(''),
  );
  writeFileSync(join(root, 'bin', 'plain-file'), 'not a program\n');
}
