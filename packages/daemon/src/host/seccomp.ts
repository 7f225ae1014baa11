// Owns the compiling of a seccomp profile into the kernel's filter bytes, by the native tool. A profile is compiled
// once in a daemon's life: nearly every container has the same. Does not choose profiles.

import { createHash } from 'node:crypto';
import { TwofoldError, type OciSeccomp } from '@twofold/contract';
import { runCommand } from './command.ts';

const filters = new Map<string, Promise<Buffer>>();
const maxFilters = 64;

/**
 * An array of `struct sock_filter`, for the machine's own architecture and those that the profile names. `program` is
 * twofold-seccomp.
 */
export function compileSeccomp(program: string, profile: OciSeccomp, ownArchitecture: string): Promise<Buffer> {
  const lines = seccompLines(profile, ownArchitecture);
  const key = createHash('sha256').update(lines).digest('hex');
  const known = filters.get(key);
  if (known !== undefined) return known;
  if (filters.size >= maxFilters) filters.delete(filters.keys().next().value!);
  const compiled = runCommand('compile the seccomp profile', [program], { input: lines }).then(
    (result) => result.stdout,
  );
  compiled.catch(() => filters.delete(key));
  filters.set(key, compiled);
  return compiled;
}

/** libseccomp's name of this machine's architecture. */
export function hostSeccompArchitecture(): string {
  return (
    { x64: 'SCMP_ARCH_X86_64', arm64: 'SCMP_ARCH_AARCH64', riscv64: 'SCMP_ARCH_RISCV64', s390x: 'SCMP_ARCH_S390X' }[
      process.arch as string
    ] ?? ''
  );
}

/** Pure: the profile as the tool reads it. Throws `invalid-argument` on what it cannot say. */
export function seccompLines(profile: OciSeccomp, ownArchitecture: string): string {
  const lines = [`default ${action(profile.defaultAction, profile.defaultErrnoRet)}`];
  for (const name of profile.architectures ?? [])
    if (name !== ownArchitecture) lines.push(`arch ${word(name.replace('SCMP_ARCH_', '').toLowerCase())}`);
  for (const rule of profile.syscalls) {
    const args = (rule.args ?? []).map(
      ({ index, op, value, valueTwo }) =>
        ` ${number(index)} ${word(op.replace('SCMP_CMP_', ''))} ${number(value)} ${number(valueTwo ?? 0)}`,
    );
    // OCI: conditions on the same argument are alternatives, which are several rules to the library.
    const alternatives = new Set((rule.args ?? []).map((arg) => arg.index)).size < args.length ? args : [args.join('')];
    for (const name of rule.names)
      for (const condition of alternatives)
        lines.push(`rule ${action(rule.action, rule.errnoRet)} ${word(name)}${condition}`);
  }
  return `${lines.join('\n')}\n`;
}

function action(name: string, errno = 1): string {
  const short = name.replace('SCMP_ACT_', '');
  if (short === 'ERRNO' || short === 'TRACE') return `${short}:${number(errno)}`;
  return short === 'KILL' ? 'KILL_THREAD' : word(short);
}

function word(text: string): string {
  if (!/^\w+$/.test(text))
    throw new TwofoldError(
      'invalid-argument',
      `The seccomp profile contains an invalid word: ${JSON.stringify(text.slice(0, 40))}.`,
    );
  return text;
}

function number(value: number): string {
  if (!Number.isInteger(value) || value < 0)
    throw new TwofoldError('invalid-argument', 'The seccomp profile contains an invalid number.');
  return BigInt(value).toString();
}
