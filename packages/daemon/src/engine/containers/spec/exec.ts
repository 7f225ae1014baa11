// Owns what a further process in a container (docker exec) is started with: the container's own settings, with the
// caller's words in their place. Pure.

import {
  TwofoldError,
  type ContainerConfig,
  type ExecCreateRequest,
  type HostConfig,
  type OciProcess,
} from '@twofold/contract';
import { capabilitySets, chooseCapabilities } from './capabilities.ts';
import { groupsWith } from './check.ts';
import type { HostFacts } from './host-facts.ts';
import { processLimits } from './limits.ts';
import { processDirectory, processEnvironment } from './process.ts';
import { securityOptions } from './security.ts';

interface User {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly home: string;
}

/** Throws `invalid-argument` for what can't be. `privileged` means every capability that the kernel at hand has. */
export function execProcess(
  container: { config: ContainerConfig; hostConfig: HostConfig },
  hostname: string,
  request: ExecCreateRequest,
  user: User,
  host: HostFacts,
): OciProcess {
  const { config, hostConfig } = container;
  const words = request.Cmd ?? [];
  if (words.length === 0) throw new TwofoldError('invalid-argument', 'No exec command specified');
  if (words.some((word) => word.includes('\0')))
    throw new TwofoldError('invalid-argument', 'The command contains a NUL byte.');
  const privileged = hostConfig.Privileged === true || request.Privileged === true;
  const capabilities = chooseCapabilities(
    { add: hostConfig.CapAdd ?? [], drop: hostConfig.CapDrop ?? [], privileged },
    host.capabilities,
  );
  const terminal = request.Tty === true;
  const [height, width] = request.ConsoleSize ?? [0, 0];
  return {
    terminal,
    ...(terminal && height > 0 && width > 0 ? { consoleSize: { height, width } } : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: groupsWith(user.groups, hostConfig) },
    args: words,
    env: processEnvironment(
      { Env: [...(config.Env ?? []), ...(request.Env ?? [])], Tty: terminal },
      hostname,
      user.home,
    ),
    cwd: processDirectory(request.WorkingDir || config.WorkingDir),
    capabilities: capabilitySets(capabilities, user.uid),
    rlimits: processLimits(hostConfig.Ulimits ?? [], host.hardLimits),
    noNewPrivileges: securityOptions(hostConfig.SecurityOpt ?? []).noNewPrivileges,
    oomScoreAdj: hostConfig.OomScoreAdj ?? 0,
  };
}
