// Owns looking at the host's processes in tests. Any of them may end while it is looked at, or be one of the kernel's
// own: its absence is an ordinary answer here, so that no test fails because somebody else's process has gone.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What a process says of itself that has gone, or that the kernel keeps for itself. */
const absent = ['ENOENT', 'ESRCH', 'EACCES', 'EINVAL'];

function lookUp<T>(look: () => T): T | null {
  try {
    return look();
  } catch (error) {
    if (absent.includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

/** The ids of all processes that there are, without ours. */
export function processIds(): number[] {
  return readdirSync('/proc').flatMap((name) =>
    /^\d+$/.test(name) && Number(name) !== process.pid ? [Number(name)] : [],
  );
}

/** The text of `/proc/PID/FILE` (`status`, `task/7/status`, …); null when the process has gone. */
export function processText(pid: number, file: string): string | null {
  return lookUp(() => readFileSync(`/proc/${pid}/${file}`, 'utf8'));
}

/** Where the link `/proc/PID/NAME` leads (`ns/net`, `fd/3`); null when the process, or the link, has gone. */
export function processLink(pid: number, name: string): string | null {
  return lookUp(() => readlinkSync(`/proc/${pid}/${name}`));
}

/** The names in the directory `/proc/PID/NAME` (`fd`, `task`); none when the process has gone. */
export function processEntries(pid: number, name: string): string[] {
  return lookUp(() => readdirSync(`/proc/${pid}/${name}`)) ?? [];
}

/** The name of a process, or '' when it has gone. */
export const processName = (pid: number): string => (processText(pid, 'comm') ?? '').trimEnd();

/** Its command line as words; none when it has gone or has none. */
export const processWords = (pid: number): string[] => (processText(pid, 'cmdline') ?? '').split('\0').slice(0, -1);

/** The children of a process's main thread. */
export function childrenOf(pid: number): number[] {
  return (processText(pid, `task/${pid}/children`) ?? '')
    .split(' ')
    .flatMap((text) => (text === '' ? [] : [Number(text)]));
}

/** The parent of a process; null when it has gone. */
export function parentOf(pid: number): number | null {
  const found = /^PPid:\s+(\d+)$/m.exec(processText(pid, 'status') ?? '');
  return found === null ? null : Number(found[1]);
}

/** False for one that has gone, and for one that only waits to be reaped. */
export function isAlive(pid: number): boolean {
  const status = processText(pid, 'status');
  return status !== null && !/^State:\s+[ZX]/m.test(status);
}

/** Every process whose command line has `text` in it, as `PID WORDS…`. */
export function processesNaming(text: string): string[] {
  return processIds().flatMap((pid) => {
    const line = processWords(pid).join(' ');
    return line.includes(text) ? [`${pid} ${line.slice(0, 200)}`] : [];
  });
}
