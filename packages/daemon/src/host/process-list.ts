// Owns the reading of what the layer tool's `processes` says (native/layer/processes.c). It may come from a guest:
// hostile until checked.

import { TwofoldError } from '@twofold/contract';

/**
 * One process as the kernel tells it: the raw texts of /proc/PID/{stat,status,cmdline}. Drivers know it as RawProcess.
 */
export interface ListedProcess {
  readonly pid: number;
  readonly stat: string;
  readonly status: string;
  /** Arguments, without the NULs. */
  readonly cmdline: readonly string[];
}

const maxHeaderBytes = 64;

/** `PID STAT_LENGTH STATUS_LENGTH CMDLINE_LENGTH\n`, then that many bytes; again and again. */
export function parseProcessList(data: Buffer): ListedProcess[] {
  const processes: ListedProcess[] = [];
  for (let at = 0; at < data.length;) {
    const newline = data.indexOf(0x0a, at);
    const header =
      newline < 0 || newline - at > maxHeaderBytes
        ? null
        : /^([0-9]{1,10}) ([0-9]{1,8}) ([0-9]{1,8}) ([0-9]{1,8})$/.exec(data.toString('latin1', at, newline));
    if (header === null) throw new TwofoldError('protocol', 'The list of processes is broken.');
    const [pid, stat, status, cmdline] = header.slice(1).map(Number) as [number, number, number, number];
    const start = newline + 1;
    at = start + stat + status + cmdline;
    if (at > data.length) throw new TwofoldError('protocol', 'The list of processes is cut off.');
    const words = data.toString('utf8', start + stat + status, at).split('\0');
    if (words.at(-1) === '') words.pop();
    processes.push({
      pid,
      stat: data.toString('utf8', start, start + stat),
      status: data.toString('utf8', start + stat, start + stat + status),
      cmdline: words,
    });
  }
  return processes;
}
