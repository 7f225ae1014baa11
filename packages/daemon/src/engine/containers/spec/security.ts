// Owns what hides and guards: masked and read-only paths, --security-opt, --sysctl. Pure.

import { TwofoldError } from '@twofold/contract';
import type { HostConfig } from '@twofold/contract';

/** Docker's masked paths. */
export const maskedPaths: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

/** Docker's read-only paths. */
export const readonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** A profile in Docker's form as JSON text, where one was given. */
  readonly seccomp: { readonly kind: 'default' | 'unconfined' } | { readonly kind: 'profile'; readonly json: string };
}

/** `--security-opt`. What Twofold doesn't apply (AppArmor, SELinux) can be switched off but not on. */
export function securityOptions(words: readonly string[]): SecurityOptions {
  let noNewPrivileges = false;
  let seccomp: SecurityOptions['seccomp'] = { kind: 'default' };
  for (const word of words) {
    const [, name, value] = /^([a-z-]+)(?:[=:]([\s\S]*))?$/.exec(word) ?? [];
    if (name === 'no-new-privileges' && (value === undefined || value === 'true' || value === 'false'))
      noNewPrivileges = value !== 'false';
    else if (name === 'seccomp' && value === 'unconfined') seccomp = { kind: 'unconfined' };
    else if (name === 'seccomp' && value === 'builtin') seccomp = { kind: 'default' };
    else if (name === 'seccomp' && value !== undefined && value.trimStart().startsWith('{'))
      seccomp = { kind: 'profile', json: value };
    else if (name === 'apparmor' && value === 'unconfined') continue;
    else if (name === 'label' && value === 'disable') continue;
    else if (name === 'apparmor' || name === 'label')
      throw new TwofoldError(
        'unsupported',
        `Twofold does not apply ${name === 'label' ? 'SELinux labels' : 'AppArmor profiles'}: --security-opt ${word} is not possible.`,
      );
    else throw new TwofoldError('invalid-argument', `invalid --security-opt: "${word.slice(0, 100)}"`);
  }
  return { noNewPrivileges, seccomp };
}

const kernelSysctls = new Set([
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
]);

/** Docker's defaults: an ordinary user may serve low ports and send pings. They need no capability for it. */
const ordinaryUsers: Readonly<Record<string, string>> = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
};

/**
 * `--sysctl`, and Docker's defaults unless the network is the host's: only those that have a namespace of their own.
 * The same list holds for a utility VM, whose kernel would allow more: a container must be able to go back.
 */
export function namespacedSysctls(
  host: HostConfig,
  hostNetwork = host.NetworkMode?.toLowerCase() === 'host',
): Record<string, string> {
  const chosen: Record<string, string> = hostNetwork ? {} : { ...ordinaryUsers };
  for (const [given, value] of Object.entries(host.Sysctls ?? {})) {
    const name = given.replaceAll('/', '.');
    if (
      !/^[a-z0-9_.-]+$/i.test(name) ||
      name.includes('..') ||
      !(name.startsWith('net.') || name.startsWith('fs.mqueue.') || kernelSysctls.has(name))
    ) {
      throw new TwofoldError(
        'invalid-argument',
        `sysctl '${given}' is not allowed: it is not in a separate kernel namespace`,
      );
    }
    if (name.startsWith('net.') && hostNetwork)
      throw new TwofoldError('invalid-argument', `sysctl '${given}' not allowed in host network namespace`);
    if (value.includes('\n') || value.includes('\0'))
      throw new TwofoldError('invalid-argument', `The value of sysctl '${given}' is not valid.`);
    chosen[name] = value;
  }
  return chosen;
}
