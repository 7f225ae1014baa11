// Owns the bundling of CLI, daemon and layer reader out of the checkout's sources: one directory of files that import
// nothing but Node and each other. Not minified, so that a stack trace names functions and reads as the sources do.

import { join } from 'node:path';
import { bundled } from '@twofold/daemon/host/own-program.ts';
import { repository } from '../../places.ts';

const stem = (file: string): string => file.replace(/\.mjs$/, '');

const entries = {
  [stem(bundled.cli)]: 'packages/cli/src/main.ts',
  [stem(bundled.daemon)]: 'packages/daemon/src/main.ts',
  [stem(bundled.layerReader)]: 'packages/daemon/src/images/erofs/child.ts',
};

/** Some dependencies are CommonJS and ask for Node's modules by `require`, which a module has not by itself. */
const requireOfNode = [
  `import { createRequire as createRequireOfNode } from 'node:module';`,
  'const require = createRequireOfNode(import.meta.url);',
].join('\n');

/**
 * Writes the bundle into `directory`. What is loaded late in the sources (a verb, the daemon's rooms) is a file of its
 * own.
 */
export async function writeBundle(directory: string): Promise<void> {
  // Loaded here: the installed program has no bundler, and every other command does without.
  const { build } = await import('esbuild');
  await build({
    absWorkingDir: repository,
    entryPoints: Object.fromEntries(Object.entries(entries).map(([name, path]) => [name, join(repository, path)])),
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    banner: { js: requireOfNode },
    external: ['esbuild'],
    legalComments: 'none',
    logLevel: 'silent', // what is wrong is in the error that it throws
  });
}
