// Owns the seccomp profile: the default (seccomp.json) or a user's own in Docker's form, resolved for an architecture,
// a set of capabilities and a kernel into OCI's form. Pure. Does not compile filters (crun and the guest's tool do).
// docs/decisions/0007-our-own-seccomp-profile.md says why the list is ours.

import { TwofoldError } from '@twofold/contract';
import type { OciSeccomp } from '@twofold/contract';
import defaultProfile from './seccomp.json' with { type: 'json' };
import type { SecurityOptions } from './security.ts';

export interface SeccompSubject {
  /** `amd64`, … */
  readonly architecture: string;
  readonly capabilities: readonly string[];
  readonly kernelRelease: string;
}

interface Condition {
  caps?: string[] | null;
  arches?: string[] | null;
  minKernel?: string;
}

interface Rule {
  name?: string;
  names?: string[] | null;
  action: string;
  errnoRet?: number | null;
  args?: { index: number; value: number; valueTwo?: number; op: string }[] | null;
  includes?: Condition | null;
  excludes?: Condition | null;
}

interface Profile {
  defaultAction: string;
  defaultErrnoRet?: number | null;
  architectures?: string[] | null;
  archMap?: { architecture: string; subArchitectures?: string[] | null }[] | null;
  syscalls?: Rule[] | null;
}

const architectureNames: Readonly<Record<string, string>> = {
  amd64: 'SCMP_ARCH_X86_64',
  386: 'SCMP_ARCH_X86',
  arm64: 'SCMP_ARCH_AARCH64',
  arm: 'SCMP_ARCH_ARM',
  riscv64: 'SCMP_ARCH_RISCV64',
  s390x: 'SCMP_ARCH_S390X',
  ppc64le: 'SCMP_ARCH_PPC64LE',
};
const actions = new Set([
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
]);
const operators = new Set([
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
]);

/**
 * The filter of a container, or undefined where it has none: `seccomp=unconfined`, and privileged containers without a
 * profile of their own.
 */
export function seccompFor(
  wish: SecurityOptions['seccomp'],
  privileged: boolean,
  subject: SeccompSubject,
): OciSeccomp | undefined {
  if (wish.kind === 'unconfined' || (wish.kind === 'default' && privileged)) return undefined;
  return resolveProfile(wish.kind === 'profile' ? parseProfile(wish.json) : defaultProfile, subject);
}

/** Applies `includes`, `excludes` and `archMap`. Rules that say the same of a call are told once. */
export function resolveProfile(profile: Profile, subject: SeccompSubject): OciSeccomp {
  const own = architectureNames[subject.architecture];
  const mapped = profile.archMap?.find((entry) => entry.architecture === own);
  const architectures =
    profile.architectures ?? (mapped === undefined ? [] : [mapped.architecture, ...(mapped.subArchitectures ?? [])]);
  const told = new Set<string>();
  const syscalls: OciSeccomp['syscalls'] = [];
  for (const rule of profile.syscalls ?? []) {
    if (!included(rule.includes, subject) || excluded(rule.excludes, subject)) continue;
    const how = {
      action: rule.action,
      ...(typeof rule.errnoRet === 'number' ? { errnoRet: rule.errnoRet } : {}),
      ...(rule.args?.length ? { args: rule.args } : {}),
    };
    const names = (rule.names ?? (rule.name === undefined ? [] : [rule.name])).filter((name) => {
      const key = JSON.stringify([name, how]);
      return told.has(key) ? false : told.add(key);
    });
    if (names.length > 0) syscalls.push({ names, ...how });
  }
  return {
    defaultAction: profile.defaultAction,
    ...(typeof profile.defaultErrnoRet === 'number' ? { defaultErrnoRet: profile.defaultErrnoRet } : {}),
    ...(architectures.length > 0 ? { architectures } : {}),
    syscalls,
  };
}

/** Every capability, one of the architectures, a kernel at least as new. */
function included(condition: Condition | null | undefined, subject: SeccompSubject): boolean {
  if (condition?.caps?.some((name) => !subject.capabilities.includes(name))) return false;
  if (condition?.arches?.length && !condition.arches.includes(subject.architecture)) return false;
  return condition?.minKernel === undefined || kernelAtLeast(subject.kernelRelease, condition.minKernel);
}

/** Any of the capabilities, any of the architectures, or a kernel at least as new. */
function excluded(condition: Condition | null | undefined, subject: SeccompSubject): boolean {
  if (condition?.caps?.some((name) => subject.capabilities.includes(name))) return true;
  if (condition?.arches?.includes(subject.architecture)) return true;
  return condition?.minKernel !== undefined && kernelAtLeast(subject.kernelRelease, condition.minKernel);
}

function kernelAtLeast(release: string, minimum: string): boolean {
  const numbers = (text: string) => (/^(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);
  const [major = 0, minor = 0] = numbers(release);
  const [needMajor = 0, needMinor = 0] = numbers(minimum);
  return major > needMajor || (major === needMajor && minor >= needMinor);
}

function parseProfile(json: string): Profile {
  const broken = (why: string, cause?: unknown) =>
    new TwofoldError('invalid-argument', `Decoding seccomp profile failed: ${why}.`, { cause });
  let profile: Profile;
  try {
    profile = JSON.parse(json) as Profile;
  } catch (cause) {
    throw broken('it is not JSON', cause);
  }
  if (!actions.has(profile.defaultAction)) throw broken('its defaultAction is not valid');
  if (profile.syscalls !== undefined && profile.syscalls !== null && !Array.isArray(profile.syscalls))
    throw broken('its syscalls are not a list');
  if ((profile.architectures?.length ?? 0) > 0 && (profile.archMap?.length ?? 0) > 0)
    throw broken('both architectures and archMap are specified, use one of them');
  for (const rule of profile.syscalls ?? []) {
    if (typeof rule !== 'object' || rule === null || !actions.has(rule.action))
      throw broken('a rule has no valid action');
    const names = rule.names ?? (rule.name === undefined ? [] : [rule.name]);
    if (!Array.isArray(names) || names.some((name) => typeof name !== 'string'))
      throw broken('a rule has names that are not strings');
    for (const arg of rule.args ?? []) {
      if (!operators.has(arg?.op) || !(arg.index >= 0 && arg.index <= 5))
        throw broken('a rule has a comparison that is not valid');
    }
  }
  return profile;
}
