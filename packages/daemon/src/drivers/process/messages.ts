// Owns the bytes that this driver gives to the supervisor: sandbox.plan, PREPARE, START, EXEC (docs/protocol.md), and
// Docker's words for a command that cannot be started. Pure.

import { isTwofoldError, Tag, TlvWriter, TwofoldError, type OciProcess } from '@twofold/contract';
import type { ContainerSpec, ProcessRef, SandboxSpec, StartOptions } from '../driver.ts';
import { writeProcess } from '../process-part.ts';
import { execDetached, target } from '../supervised.ts';
import { namespacesOf } from './bundle.ts';

/** FLAGS of sandbox.plan: the v2 tree beside v1 controllers is taken out of the runtime's sight. */
const hybridCgroups = 1;

export interface PlanPlace {
  readonly socket: string;
  readonly runtime: string;
  /** Directories of the supervisor's own control groups; the sandbox's are their parents. */
  readonly cgroups: readonly string[];
  readonly hybrid: boolean;
}

export function sandboxPlan(spec: SandboxSpec, place: PlanPlace): Buffer {
  const namespaces = namespacesOf(spec);
  const plan = new TlvWriter()
    .string(Tag.CONTAINER, spec.id)
    .string(Tag.PATH, place.socket)
    .string(Tag.TYPE, 'process')
    .string(Tag.RUNTIME, place.runtime)
    // For a daemon that finds the sandbox again: where its control groups are.
    .string(Tag.NAME, spec.cgroupPath)
    .strings(Tag.CGROUP, place.cgroups)
    .strings(Tag.NAMESPACE, namespaces)
    .string(Tag.HOSTNAME, spec.hostname)
    .strings(
      Tag.SYSCTL,
      Object.entries(spec.sysctls ?? {}).map(([key, value]) => `${key}=${value}`),
    );
  if (spec.domainname !== undefined) plan.string(Tag.DOMAINNAME, spec.domainname);
  if (place.hybrid) plan.number(Tag.FLAGS, hybridCgroups);
  return plan.finish();
}

export function prepareRequest(
  spec: ContainerSpec,
  layers: readonly string[],
  writable: { upper: string; work: string } | null,
): TlvWriter {
  const list = new TlvWriter().string(Tag.CONTAINER, spec.id).strings(Tag.LAYER, layers).string(Tag.USER, spec.user);
  for (const { path } of spec.files) list.list(Tag.FILE, (file) => file.string(Tag.PATH, path));
  for (const path of spec.temporary ?? []) list.list(Tag.MOUNT, (mount) => mount.string(Tag.PATH, path));
  list.strings(Tag.PATH, spec.directories ?? []);
  if (spec.workingDirectory !== undefined) list.string(Tag.CWD, spec.workingDirectory);
  if (writable !== null) list.string(Tag.UPPER, writable.upper).string(Tag.WORK, writable.work);
  if (spec.log !== null)
    list
      .string(Tag.LOG_PATH, spec.log.path)
      .number(Tag.LOG_MAX_BYTES, spec.log.maxBytes)
      .number(Tag.LOG_MAX_FILES, spec.log.maxFiles)
      .number(Tag.LOG_MINIMUM_FREE, spec.log.minimumFreeBytes);
  return list;
}

export function startRequest(
  container: ProcessRef,
  process: OciProcess,
  options: StartOptions,
  place: { bundle: string; oomFile: string; cgroup: string },
): TlvWriter {
  const list = new TlvWriter()
    .string(Tag.CONTAINER, container.container)
    .string(Tag.BUNDLE, place.bundle)
    .flag(Tag.STDIN, options.openStdin)
    .flag(Tag.STDIN_ONCE, options.stdinOnce)
    .string(Tag.OOM_FILE, place.oomFile)
    .string(Tag.CGROUP, place.cgroup)
    .flag(Tag.TERMINAL, process.terminal);
  return process.consoleSize === undefined
    ? list
    : list.number(Tag.ROWS, process.consoleSize.height).number(Tag.COLUMNS, process.consoleSize.width);
}

/** `cgroups`: the container's, in every tree. `filter`: its seccomp profile, compiled. */
export function execRequest(
  of: Required<ProcessRef>,
  process: OciProcess,
  options: { stdin: boolean; attached: boolean; cgroups: readonly string[]; filter: Buffer | null },
): TlvWriter {
  const list = target(of).strings(Tag.CGROUP, options.cgroups).flag(Tag.STDIN, options.stdin);
  writeProcess(list, process, options.filter);
  return options.attached ? list : list.number(Tag.FLAGS, execDetached);
}

/** Docker's words: its command line takes the exit codes 126 and 127 from them. */
export function wordedForCommand(error: unknown, { args, cwd }: OciProcess): unknown {
  const command = args[0] ?? '';
  const chdir = error instanceof TwofoldError ? /^chdir: (.*)/.exec(error.message)?.[1] : undefined;
  if (chdir !== undefined)
    return new TwofoldError(
      (error as TwofoldError).code,
      `chdir to cwd ("${cwd}") set in config.json failed: ${chdir.charAt(0).toLowerCase()}${chdir.slice(1)}`,
      { cause: error },
    );
  if (isTwofoldError(error, 'command-not-found')) {
    const text = command.includes('/')
      ? `exec: "${command}": stat ${command}: no such file or directory`
      : `exec: "${command}": executable file not found in $PATH`;
    return new TwofoldError(error.code, text, { cause: error });
  }
  if (isTwofoldError(error, 'command-not-executable'))
    return new TwofoldError(error.code, `exec: "${command}": permission denied`, { cause: error });
  return error;
}
