// Owns the OCI specification of a container as a whole: it puts together what the files beside it decide. Pure.
// The driver fills in what only it knows: root.path, and the paths of the namespaces that the sandbox shares (network,
// ipc, uts).

import { TwofoldError, type HostConfig, type OciLinux, type OciProcess, type OciSpec } from '@twofold/contract';
import type { ContainerRecord } from '../../engine.ts';
import { capabilitySets, chooseCapabilities } from './capabilities.ts';
import { checkWords, groupsWith } from './check.ts';
import type { HostFacts } from './host-facts.ts';
import { processLimits } from './limits.ts';
import { containerMounts } from './mounts.ts';
import { processArguments, processDirectory, processEnvironment } from './process.ts';
import { containerResources } from './resources.ts';
import { seccompFor } from './seccomp.ts';
import { maskedPaths, namespacedSysctls, readonlyPaths, securityOptions } from './security.ts';

/** driver.ts's ResolvedUser. */
interface User {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly home: string;
}

type Subject = Pick<ContainerRecord, 'id' | 'isolation' | 'config' | 'hostConfig'>;

/**
 * The specification as Docker would write it. Throws `invalid-argument`, `unsupported` or `not-implemented` for what
 * can't be kept, so calling it with any user when a container is created refuses early (`checkSettings`).
 */
export function buildSpec(record: Subject, user: User, host: HostFacts): OciSpec {
  const { config, hostConfig } = record;
  checkWords(config, hostConfig, record.isolation);
  if (hostConfig.OomKillDisable === true && host.cgroupVersion === '2')
    throw new TwofoldError(
      'unsupported',
      '--oom-kill-disable is not possible: cgroup v2, which this container would use, does not support it.',
    );
  const privileged = hostConfig.Privileged === true;
  const security = securityOptions(hostConfig.SecurityOpt ?? []);
  const capabilities = chooseCapabilities(
    { add: hostConfig.CapAdd ?? [], drop: hostConfig.CapDrop ?? [], privileged },
    host.capabilities,
  );
  const hostname = containerHostname(record);
  const seccomp = seccompFor(security.seccomp, privileged, {
    architecture: host.architecture,
    capabilities,
    kernelRelease: host.kernelRelease,
  });
  const [height, width] = hostConfig.ConsoleSize ?? [0, 0];
  const process: OciProcess = {
    terminal: config.Tty === true,
    ...(config.Tty === true && height > 0 && width > 0 ? { consoleSize: { height, width } } : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: groupsWith(user.groups, hostConfig) },
    args: processArguments(config, hostConfig.Init === true),
    env: processEnvironment(config, hostname, user.home),
    cwd: processDirectory(config.WorkingDir),
    capabilities: capabilitySets(capabilities, user.uid),
    rlimits: processLimits(hostConfig.Ulimits ?? [], host.hardLimits),
    noNewPrivileges: security.noNewPrivileges,
    oomScoreAdj: hostConfig.OomScoreAdj ?? 0,
  };
  return {
    ociVersion: '1.0.2',
    process,
    root: { path: 'rootfs', readonly: hostConfig.ReadonlyRootfs === true },
    hostname,
    mounts: containerMounts(hostConfig),
    linux: {
      namespaces: namespaces(hostConfig, host),
      resources: containerResources(hostConfig, host),
      cgroupsPath: `${host.cgroupParent}/${record.id}`,
      sysctl: namespacedSysctls(hostConfig),
      ...(seccomp === undefined ? {} : { seccomp }),
      maskedPaths: hostConfig.MaskedPaths ?? (privileged ? [] : [...maskedPaths]),
      readonlyPaths: hostConfig.ReadonlyPaths ?? (privileged ? [] : [...readonlyPaths]),
      devices: privileged ? [...host.devices] : [],
    },
  };
}

/** Everything that buildSpec would refuse, for `create`. */
export function checkSettings(record: Subject, host: HostFacts): void {
  buildSpec(record, { uid: 0, gid: 0, groups: [], home: '/' }, host);
}

/** The host name of a container: its own, or the first twelve digits of its id. */
export function containerHostname(record: Pick<ContainerRecord, 'id' | 'config'>): string {
  return record.config.Hostname === undefined || record.config.Hostname === ''
    ? record.id.slice(0, 12)
    : record.config.Hostname;
}

function namespaces(hostConfig: HostConfig, host: HostFacts): OciLinux['namespaces'] {
  const chosen: OciLinux['namespaces'] = [{ type: 'mount' }];
  if (hostConfig.PidMode !== 'host') chosen.push({ type: 'pid' });
  if (hostConfig.NetworkMode !== 'host') chosen.push({ type: 'network' });
  if (hostConfig.IpcMode !== 'host') chosen.push({ type: 'ipc' });
  if (hostConfig.UTSMode !== 'host') chosen.push({ type: 'uts' });
  // Docker's default: private on cgroup v2, the host's on v1.
  const mode = hostConfig.CgroupnsMode;
  if (mode === 'private' || (mode !== 'host' && host.cgroupVersion === '2')) chosen.push({ type: 'cgroup' });
  return chosen;
}
