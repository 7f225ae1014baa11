// Owns the host's network links: changes go in as one `ip -batch` by stdin, reading is from /sys and /proc. Knows no
// switch.

import { readdir, readFile, writeFile } from 'node:fs/promises';
import { runCommand } from './command.ts';

/** Carries out lines of `ip` (without the word `ip`) in one process; the first that fails ends it. */
export function runIp(doing: string, lines: readonly string[], signal?: AbortSignal): Promise<void> {
  return runBatch('ip', doing, lines, signal);
}

/** As runIp, of the program `bridge`. */
export function runBridge(doing: string, lines: readonly string[], signal?: AbortSignal): Promise<void> {
  return runBatch('bridge', doing, lines, signal);
}

async function runBatch(
  program: 'ip' | 'bridge',
  doing: string,
  lines: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  if (lines.length === 0) return;
  for (const line of lines)
    if (/[\n\r\\#"']/.test(line)) throw new Error(`a batch line holds a character that ip reads as syntax: ${line}`);
  await runCommand(doing, [program, '-batch', '-'], { input: `${lines.join('\n')}\n`, signal, timeoutMs: 20_000 });
}

/** Names of all links of the host's namespace. */
export async function linkNames(): Promise<string[]> {
  return readdir('/sys/class/net');
}

/** A file below /sys/class/net/<link>, trimmed; null where link or file is not there. */
export async function linkFact(
  link: string,
  file: 'mtu' | 'iflink' | 'ifindex' | 'address' | 'operstate',
): Promise<string | null> {
  try {
    return (await readFile(`/sys/class/net/${link}/${file}`, 'utf8')).trim();
  } catch {
    return null;
  }
}

/** What `ip -json` answers; `netnsPid` looks from inside that process's network namespace. */
export async function queryIp(
  doing: string,
  words: readonly string[],
  netnsPid: number | null = null,
  signal?: AbortSignal,
): Promise<Record<string, unknown>[]> {
  const ip = ['ip', '-json', ...words] as const;
  const all: [string, ...string[]] = netnsPid === null ? [...ip] : ['nsenter', `--net=/proc/${netnsPid}/ns/net`, ...ip];
  const { stdout } = await runCommand(doing, all, { signal, timeoutMs: 20_000 });
  return stdout.length === 0 ? [] : (JSON.parse(stdout.toString('utf8')) as Record<string, unknown>[]);
}

/** Switches IPv4 forwarding on; true when it was off before. */
export async function enableForwarding(): Promise<boolean> {
  const file = '/proc/sys/net/ipv4/ip_forward';
  if ((await readFile(file, 'utf8')).trim() === '1') return false;
  await writeFile(file, '1\n');
  return true;
}
