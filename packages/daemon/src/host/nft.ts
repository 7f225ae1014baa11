// Owns the packet filter: nftables scripts go in by stdin and take effect as a whole or not at all. Also lets our
// bridges through an iptables FORWARD chain whose policy is DROP (Docker's): a verdict of ours cannot overrule another
// table's drop.

import { readFile } from 'node:fs/promises';
import { runCommand } from './command.ts';

/** Carries out an nft script atomically. */
export async function runNft(doing: string, script: string, signal?: AbortSignal): Promise<void> {
  // nft 1.0.9 (Ubuntu 24.04) reads no script from a socket.
  await runCommand(doing, ['nft', '-f', '-'], { input: script, inputAs: 'file', signal, timeoutMs: 20_000 });
}

const flavours = [
  { program: 'iptables-nft', tables: null },
  // Asking the legacy program would load its kernel module; it is asked only where the module is in use.
  { program: 'iptables-legacy', tables: '/proc/net/ip_tables_names' },
] as const;

const passages = (bridgePattern: string) => [
  ['-i', bridgePattern, '-j', 'ACCEPT'],
  ['-o', bridgePattern, '-m', 'conntrack', '--ctstate', 'RELATED,ESTABLISHED', '-j', 'ACCEPT'],
];

async function forwardChainDrops(program: string): Promise<boolean> {
  try {
    const { stdout } = await runCommand('read the FORWARD chain', [program, '-w', '5', '-S', 'FORWARD'], {
      timeoutMs: 10_000,
    });
    return stdout.toString('utf8').startsWith('-P FORWARD DROP');
  } catch {
    return false; // not installed, or the kernel has no such tables: nothing there that could drop
  }
}

async function inUse(tables: string | null): Promise<boolean> {
  if (tables === null) return true;
  return readFile(tables, 'utf8').then(
    (names) => names.includes('filter'),
    () => false,
  );
}

/**
 * Opens FORWARD chains of policy DROP for links that match `bridgePattern` (`tf+`); returns the programs whose chain
 * was opened.
 */
export async function openIptablesForward(bridgePattern: string): Promise<string[]> {
  const opened: string[] = [];
  for (const { program, tables } of flavours) {
    if (!(await inUse(tables)) || !(await forwardChainDrops(program))) continue;
    for (const rule of passages(bridgePattern)) {
      const there = await runCommand('look for our rule', [program, '-w', '5', '-C', 'FORWARD', ...rule], {
        accept: [0, 1],
        timeoutMs: 10_000,
      });
      if (there.exitCode === 1)
        await runCommand('let the switches through the FORWARD chain', [program, '-w', '5', '-I', 'FORWARD', ...rule], {
          timeoutMs: 10_000,
        });
    }
    opened.push(program);
  }
  return opened;
}

/** Takes away what openIptablesForward put in. */
export async function closeIptablesForward(bridgePattern: string): Promise<void> {
  for (const { program, tables } of flavours) {
    if (!(await inUse(tables))) continue;
    for (const rule of passages(bridgePattern)) {
      try {
        await runCommand('remove our rule', [program, '-w', '5', '-D', 'FORWARD', ...rule], { timeoutMs: 10_000 });
      } catch {
        // Wasn't there, or no such program.
      }
    }
  }
}
