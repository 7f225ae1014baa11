// Owns asking how fast this processor's time stamp counter runs (native/supervisor/ticks.c). Once.

import { TwofoldError } from '@twofold/contract';
import { runCommand } from './command.ts';

let measured: Promise<number> | null = null;

/** In kHz. `program` is the supervisor's. */
export function measureTickRate(program: string): Promise<number> {
  measured ??= measure(program);
  measured.catch(() => {
    measured = null;
  });
  return measured;
}

async function measure(program: string): Promise<number> {
  const { stdout } = await runCommand('measure the time stamp counter', [program, '--ticks']);
  const khz = Number(stdout.toString('utf8'));
  if (!Number.isInteger(khz) || khz < 1)
    throw new TwofoldError('internal', 'The time stamp counter could not be measured.');
  return khz;
}
