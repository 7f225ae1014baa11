// Owns `docker top`: what `ps` would print of a container's processes, made from the raw texts of the kernel that runs
// them, since a utility VM needs no ps of its own to be asked. Pure. Does not read /proc: the driver does; names of
// users are handed in.

import { TwofoldError } from '@twofold/contract';
import type { RawProcess } from '../../drivers/driver.ts';

export interface TopContext {
  /** When the kernel that runs the processes booted, and now; Unix milliseconds. */
  readonly bootMs: number;
  readonly nowMs: number;
  /** That machine's memory, for %MEM. */
  readonly memoryBytes: number;
  /** Undefined: the number is shown. */
  readonly userName: (uid: number) => string | undefined;
  readonly groupName: (gid: number) => string | undefined;
}

const ticksPerSecond = 100; // USER_HZ, the same on every architecture that Twofold knows
const pageBytes = 4096;

interface Process {
  readonly pid: number;
  readonly comm: string;
  readonly state: string;
  readonly ppid: number;
  readonly pgid: number;
  readonly session: number;
  readonly tty: string;
  readonly foreground: boolean;
  readonly cpuSeconds: number;
  readonly nice: number;
  readonly priority: number;
  readonly threads: number;
  readonly startMs: number;
  readonly virtualBytes: number;
  readonly residentBytes: number;
  readonly lockedBytes: number;
  /** Real, effective. */
  readonly uids: readonly [number, number];
  readonly gids: readonly [number, number];
  readonly command: string;
}

interface Column {
  readonly title: string;
  readonly value: (process: Process, context: TopContext) => string;
}

const user = (uid: number, context: TopContext) => context.userName(uid) ?? String(uid);
const group = (gid: number, context: TopContext) => context.groupName(gid) ?? String(gid);
const elapsedSeconds = (process: Process, context: TopContext) => Math.max(0, (context.nowMs - process.startMs) / 1000);
const cpuPercent = (process: Process, context: TopContext) =>
  (process.cpuSeconds * 100) / Math.max(1, elapsedSeconds(process, context));
const column = (title: string, value: Column['value']): Column => ({ title, value });

const full = [
  column('UID', (p, c) => user(p.uids[1], c)),
  column('PID', (p) => String(p.pid)),
  column('PPID', (p) => String(p.ppid)),
  column('C', (p, c) => String(Math.min(99, Math.floor(cpuPercent(p, c))))),
  column('STIME', (p, c) => startTime(p.startMs, c.nowMs)),
  column('TTY', (p) => p.tty),
  column('TIME', (p) => clock(p.cpuSeconds)),
  column('CMD', (p) => p.command),
];
const userOriented = [
  column('USER', (p, c) => user(p.uids[1], c)),
  column('PID', (p) => String(p.pid)),
  column('%CPU', (p, c) => cpuPercent(p, c).toFixed(1)),
  column('%MEM', (p, c) => ((p.residentBytes * 100) / c.memoryBytes).toFixed(1)),
  column('VSZ', (p) => kibibytes(p.virtualBytes)),
  column('RSS', (p) => kibibytes(p.residentBytes)),
  column('TTY', (p) => p.tty),
  column('STAT', stat),
  column('START', (p, c) => startTime(p.startMs, c.nowMs)),
  column('TIME', (p) => minutes(p.cpuSeconds)),
  column('COMMAND', (p) => p.command),
];
const plain = [
  column('PID', (p) => String(p.pid)),
  column('TTY', (p) => p.tty),
  column('TIME', (p) => clock(p.cpuSeconds)),
  column('CMD', (p) => p.comm),
];
const plainBsd = [
  column('PID', (p) => String(p.pid)),
  column('TTY', (p) => p.tty),
  column('STAT', stat),
  column('TIME', (p) => minutes(p.cpuSeconds)),
  column('COMMAND', (p) => p.command),
];

// Words of `ps -o`, several names for one column.
const named: ReadonlyMap<string, Column> = new Map(
  (
    [
      ['pid', 'PID', (p) => String(p.pid)],
      ['ppid', 'PPID', (p) => String(p.ppid)],
      ['pgid pgrp', 'PGID', (p) => String(p.pgid)],
      ['sid sess session', 'SID', (p) => String(p.session)],
      ['user euser uname', 'USER', (p, c) => user(p.uids[1], c)],
      ['ruser', 'RUSER', (p, c) => user(p.uids[0], c)],
      ['uid euid', 'UID', (p) => String(p.uids[1])],
      ['ruid', 'RUID', (p) => String(p.uids[0])],
      ['group egroup', 'GROUP', (p, c) => group(p.gids[1], c)],
      ['rgroup', 'RGROUP', (p, c) => group(p.gids[0], c)],
      ['gid egid', 'GID', (p) => String(p.gids[1])],
      ['rgid', 'RGID', (p) => String(p.gids[0])],
      ['comm ucmd ucomm', 'COMMAND', (p) => p.comm],
      ['args command', 'COMMAND', (p) => p.command],
      ['cmd', 'CMD', (p) => p.command],
      ['tty tt tname', 'TT', (p) => p.tty],
      ['time cputime', 'TIME', (p) => clock(p.cpuSeconds)],
      ['etime', 'ELAPSED', (p, c) => elapsed(elapsedSeconds(p, c))],
      ['etimes', 'ELAPSED', (p, c) => String(Math.floor(elapsedSeconds(p, c)))],
      ['stime start_time', 'STIME', (p, c) => startTime(p.startMs, c.nowMs)],
      ['lstart', 'STARTED', (p) => longTime(p.startMs)],
      ['start', 'STARTED', (p, c) => startTime(p.startMs, c.nowMs)],
      ['stat', 'STAT', stat],
      ['state s', 'S', (p) => p.state],
      ['ni nice', 'NI', (p) => String(p.nice)],
      ['pri', 'PRI', (p) => String(39 - p.priority)],
      ['nlwp thcount', 'NLWP', (p) => String(p.threads)],
      ['rss rssize rsz', 'RSS', (p) => kibibytes(p.residentBytes)],
      ['vsz vsize', 'VSZ', (p) => kibibytes(p.virtualBytes)],
      ['pcpu %cpu', '%CPU', (p, c) => cpuPercent(p, c).toFixed(1)],
      ['c', 'C', (p, c) => String(Math.min(99, Math.floor(cpuPercent(p, c))))],
      ['pmem %mem', '%MEM', (p, c) => ((p.residentBytes * 100) / c.memoryBytes).toFixed(1)],
    ] satisfies [string, string, Column['value']][]
  ).flatMap(([names, title, value]) => names.split(' ').map((name) => [name, { title, value }])),
);

/** Docker's answer to `top`. Throws `invalid-argument` for an option of ps that isn't known here, naming it. */
export function renderTop(
  processes: readonly RawProcess[],
  psArguments: string,
  context: TopContext,
): { titles: string[]; processes: string[][] } {
  const columns = chooseColumns(psArguments);
  const parsed = processes
    .map((raw) => parse(raw, context.bootMs))
    .filter((process) => process !== null)
    .sort((a, b) => a.pid - b.pid);
  return {
    titles: columns.map(({ title }) => title),
    processes: parsed.map((process) => columns.map(({ value }) => value(process, context))),
  };
}

/** When a kernel booted, told from one process whose start is known: a guest's clock is not asked. */
export function bootTimeMs(processes: readonly RawProcess[], known: { pid: number; startedAt: number }): number | null {
  const raw = processes.find(({ pid }) => pid === known.pid);
  const process = raw === undefined ? null : parse(raw, 0);
  return process === null ? null : known.startedAt - process.startMs;
}

function chooseColumns(psArguments: string): readonly Column[] {
  const words = psArguments
    .trim()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0) return full;
  const unknown = (word: string) =>
    new TwofoldError(
      'invalid-argument',
      `Twofold does not support the ps option ${word}; use -ef, aux, or -o with columns.`,
    );
  const chosen: Column[] = [];
  let format: readonly Column[] = words[0]!.startsWith('-') ? plain : plainBsd;
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    const [, dash, letters, list] = /^(-?)([a-zA-Z]*?)(?:(?<=^-?[eAaxw]*)o(?:[=]?(.+))?)?$/.exec(word) ?? [];
    const long = /^--format=?(.*)$/.exec(word);
    const hasList = long !== null || (letters !== undefined && word.length > dash!.length + letters.length);
    if (letters === undefined && long === null) throw unknown(word);
    for (const letter of long === null ? letters! : '') {
      if ((letter === 'f' && dash === '-') || letter === 'F') format = full;
      else if (letter === 'u') format = userOriented;
      else if (!'eAaxw'.includes(letter)) throw unknown(word);
    }
    if (!hasList) continue;
    const columns = (long === null ? list : long[1]) || words[++at];
    if (columns === undefined) throw unknown(word);
    for (const name of columns.split(',')) chosen.push(namedColumn(name));
  }
  if (chosen.length === 0) return format;
  if (!chosen.some(({ value }) => value === named.get('pid')!.value))
    throw new TwofoldError('invalid-argument', "Couldn't find PID field in ps output");
  return chosen;
}

/** `pid`, or `pid=TITLE`. */
function namedColumn(word: string): Column {
  const [name, title] = word.split('=', 2);
  const found = named.get(name!.toLowerCase());
  if (found === undefined)
    throw new TwofoldError('invalid-argument', `Twofold does not support the ps column "${name}".`);
  return title === undefined || title === '' ? found : { ...found, title };
}

/** Null for texts that no kernel writes; a guest's are not to be trusted. */
function parse(raw: RawProcess, bootMs: number): Process | null {
  const open = raw.stat.indexOf('(');
  const close = raw.stat.lastIndexOf(')');
  const fields = raw.stat
    .slice(close + 2)
    .trim()
    .split(' ');
  if (open < 0 || close < open || fields.length < 22) return null;
  const number = (index: number) => Number(fields[index]); // 0 is `state`, the third of proc(5)
  const comm = printable(raw.stat.slice(open + 1, close));
  const ids = (name: string): [number, number] => {
    const [, real = '0', effective = '0'] = new RegExp(`^${name}:\\s+(\\d+)\\s+(\\d+)`, 'm').exec(raw.status) ?? [];
    return [Number(real), Number(effective)];
  };
  return {
    pid: raw.pid,
    comm,
    state: fields[0]!,
    ppid: number(1),
    pgid: number(2),
    session: number(3),
    tty: terminal(number(4)),
    foreground: number(5) > 0 && number(5) === number(2),
    cpuSeconds: (number(11) + number(12)) / ticksPerSecond,
    priority: number(15),
    nice: number(16),
    threads: number(17),
    startMs: bootMs + (number(19) * 1000) / ticksPerSecond,
    virtualBytes: number(20),
    residentBytes: number(21) * pageBytes,
    lockedBytes: Number(/^VmLck:\s+(\d+)/m.exec(raw.status)?.[1] ?? 0) * 1024,
    uids: ids('Uid'),
    gids: ids('Gid'),
    command: raw.cmdline.length === 0 ? `[${comm}]` : printable(raw.cmdline.join(' ')),
  };
}

/** Nothing of a container reaches a terminal as a command to it. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}

function terminal(device: number): string {
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `pts/${minor + (major - 136) * 256}`;
  if (major === 4) return minor < 64 ? `tty${minor}` : `ttyS${minor - 64}`;
  return major === 5 && minor === 1 ? 'console' : '?';
}

function stat(process: Process): string {
  const niceness = process.nice < 0 ? '<' : process.nice > 0 ? 'N' : '';
  return `${process.state}${niceness}${process.lockedBytes > 0 ? 'L' : ''}${process.session === process.pid ? 's' : ''}${process.threads > 1 ? 'l' : ''}${process.foreground ? '+' : ''}`;
}

const two = (value: number) => String(Math.floor(value)).padStart(2, '0');

/** [DD-]HH:MM:SS */
function clock(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  return `${days > 0 ? `${two(days)}-` : ''}${two((seconds / 3600) % 24)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** [[DD-]HH:]MM:SS */
function elapsed(seconds: number): string {
  const text = clock(seconds);
  return text.startsWith('00:') ? text.slice(3) : text;
}

/** M:SS */
function minutes(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** HH:MM of today, MmmDD of this year, YYYY before. */
function startTime(startMs: number, nowMs: number): string {
  const start = new Date(startMs);
  const now = new Date(nowMs);
  if (start.toDateString() === now.toDateString()) return `${two(start.getHours())}:${two(start.getMinutes())}`;
  return start.getFullYear() === now.getFullYear()
    ? `${months[start.getMonth()]}${two(start.getDate())}`
    : String(start.getFullYear());
}

function longTime(ms: number): string {
  const time = new Date(ms);
  return `${weekdays[time.getDay()]} ${months[time.getMonth()]} ${String(time.getDate()).padStart(2, ' ')} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())} ${time.getFullYear()}`;
}

function kibibytes(bytes: number): string {
  return String(Math.round(bytes / 1024));
}
