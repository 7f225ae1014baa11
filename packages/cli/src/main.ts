// Owns the CLI's verbs. Each verb is a file that exports `register(program, client)`: those that only ask the daemon
// and print are in packages/verbs, since the daemon runs them too, all others in commands/.

import { askingVerbs, run, type Verbs } from '@twofold/verbs/run.ts';
import { here } from './output.ts';

const verbs: Verbs = {
  attach: () => import('./commands/attach.ts'),
  compute: askingVerbs.compute,
  convert: () => import('./commands/convert.ts'),
  demo: () => import('./commands/demo.ts'),
  doctor: () => import('./commands/doctor.ts'),
  down: () => import('./commands/down.ts'),
  exec: () => import('./commands/exec.ts'),
  images: askingVerbs.images,
  logs: () => import('./commands/logs.ts'),
  powershell: () => import('./commands/powershell.ts'),
  ps: askingVerbs.ps,
  recover: () => import('./commands/recover.ts'),
  rm: askingVerbs.rm,
  run: () => import('./commands/run.ts'),
  setup: () => import('./commands/setup.ts'),
  start: askingVerbs.start,
  stop: askingVerbs.stop,
  switches: askingVerbs.switches,
  up: () => import('./commands/up.ts'),
};

// `twofold logs … | head`: the reader has enough. Ends as a program that SIGPIPE ends, which Node ignores.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(128 + 13);
});
const code = await run(process.argv.slice(2), verbs, here);
// Verbs of the CLI's own may have set one without failing: the exit code of a container's command.
if (code !== 0) process.exitCode = code;
