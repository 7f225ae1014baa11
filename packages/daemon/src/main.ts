// The daemon's first file: lets Node keep what it compiles, which halves the time to the first answer, and only then reads the rest
// (daemon.ts). A static import would be compiled before anything here runs.

import { existsSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

const libRoot = process.env['TWOFOLD_LIB_ROOT'] ?? '/usr/local/lib/twofold';
// In a place that only root writes: what lies there is run.
if (process.getuid?.() === 0 && existsSync(libRoot)) enableCompileCache(join(libRoot, 'compiled'));
const { main } = await import('./daemon.ts');
process.exitCode = await main();
