// Owns the process part of a launch plan (docs/protocol.md): what a supervisor or an agent needs to know of one
// process, every value final. Pure: the seccomp filter comes compiled.

import { Tag, TlvWriter, TwofoldError, type OciCapabilities, type OciProcess } from '@twofold/contract';

/** Numbers of linux/capability.h, in order. */
const capabilityNames = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
];

export function writeProcess(plan: TlvWriter, process: OciProcess, seccomp: Buffer | null): void {
  const { user } = process;
  plan
    .strings(Tag.ARG, process.args)
    .strings(Tag.ENV, process.env)
    .string(Tag.CWD, process.cwd)
    .number(Tag.UID, user.uid)
    .number(Tag.GID, user.gid);
  for (const gid of user.additionalGids ?? []) plan.number(Tag.GROUP, gid);
  plan.number(Tag.UMASK, user.umask ?? 0o022).flag(Tag.TERMINAL, process.terminal);
  if (process.consoleSize !== undefined)
    plan.number(Tag.ROWS, process.consoleSize.height).number(Tag.COLUMNS, process.consoleSize.width);
  if (process.capabilities !== undefined) writeCapabilities(plan, process.capabilities);
  for (const { type, soft, hard } of process.rlimits ?? [])
    plan.list(Tag.RLIMIT, (limit) =>
      limit.string(Tag.NAME, type).number(Tag.OFFSET, limitOf(soft)).number(Tag.LENGTH, limitOf(hard)),
    );
  plan.flag(Tag.NO_NEW_PRIVILEGES, process.noNewPrivileges).number(Tag.OOM_SCORE_ADJ, process.oomScoreAdj ?? 0);
  if (seccomp !== null) plan.bytes(Tag.SECCOMP, seccomp);
}

function writeCapabilities(plan: TlvWriter, sets: OciCapabilities): void {
  const write = (tag: Tag, names: readonly string[]) => {
    for (const name of names) {
      const number = capabilityNames.indexOf(name.replace(/^CAP_/, ''));
      if (number < 0) throw new TwofoldError('invalid-argument', `The capability ${name} does not exist.`);
      plan.number(tag, number);
    }
  };
  write(Tag.CAP_BOUNDING, sets.bounding);
  write(Tag.CAP_EFFECTIVE, sets.effective);
  write(Tag.CAP_PERMITTED, sets.permitted);
  write(Tag.CAP_INHERITABLE, sets.inheritable);
  write(Tag.CAP_AMBIENT, sets.ambient);
}

/** RLIM_INFINITY is all ones, which is -1 as the plan has numbers. */
function limitOf(value: number): bigint {
  return !Number.isFinite(value) || value < 0 || value >= 2 ** 63 ? -1n : BigInt(value);
}
