// Owns what of Docker's settings Twofold doesn't keep, and says so before anything is made. Pure. A word that is
// neither kept nor refused here would be a silent no-op: whoever adds a field to api.ts's HostConfig puts it to use or
// into this file.

import { MAX_GROUPS, TwofoldError } from '@twofold/contract';
import type { ContainerConfig, HostConfig, Isolation } from '@twofold/contract';
import { checkText } from './words.ts';

/** Throws `not-implemented` or `unsupported` for what can't be kept; resolves nothing, makes nothing. */
export function checkWords(config: ContainerConfig, host: HostConfig, isolation: Isolation): void {
  const lacking = (what: string) => new TwofoldError('not-implemented', `Twofold does not have ${what} yet.`);
  if ((host.Binds?.length ?? 0) > 0) throw lacking('bind mounts and volumes (-v)');
  if ((host.VolumesFrom?.length ?? 0) > 0) throw lacking('--volumes-from');
  for (const mount of host.Mounts ?? []) {
    const type = (mount as { Type?: unknown } | null)?.Type;
    if (type !== 'tmpfs') throw lacking(`mounts of type ${String(type)}`);
  }
  if ((host.Devices?.length ?? 0) > 0) throw lacking('--device');
  if ((host.Links?.length ?? 0) > 0) throw lacking('--link');
  if (
    host.PublishAllPorts === true ||
    Object.values(host.PortBindings ?? {}).some((bindings) => (bindings?.length ?? 0) > 0)
  )
    throw lacking('published ports (-p, -P)');
  if (!['', undefined].includes(host.UsernsMode) && host.UsernsMode !== 'host')
    throw lacking(`--userns ${host.UsernsMode}`);
  for (const [word, value] of [
    ['--ipc', host.IpcMode],
    ['--pid', host.PidMode],
    ['--uts', host.UTSMode],
    ['--cgroupns', host.CgroupnsMode],
  ] as const) {
    if (value?.startsWith('container:')) throw lacking(`${word} ${value}`);
    if (value === 'host' && isolation === 'hyperv')
      throw new TwofoldError(
        'unsupported',
        `${word} host is not possible with isolation hyperv: the container has its own kernel.`,
      );
    const known =
      word === '--ipc'
        ? ['', 'host', 'private', 'none', 'shareable']
        : word === '--cgroupns'
          ? ['', 'host', 'private']
          : ['', 'host'];
    if (!known.includes(value ?? ''))
      throw new TwofoldError('invalid-argument', `invalid ${word.slice(2)} mode: ${value}`);
    if (word === '--ipc' && value === 'none') throw lacking('--ipc none');
  }
  if (host.NetworkMode?.startsWith('container:')) throw lacking(`--network ${host.NetworkMode}`);
  if (host.NetworkMode === 'host' && isolation === 'hyperv')
    throw new TwofoldError(
      'unsupported',
      '--network host is not possible with isolation hyperv: the container has its own kernel.',
    );
  if (!['', undefined, 'json-file', 'local', 'none'].includes(host.LogConfig?.Type))
    throw new TwofoldError('unsupported', `Twofold has no log driver ${host.LogConfig?.Type}.`);
  if (!['', undefined, 'crun', 'runc', 'twofold', 'io.containerd.runc.v2'].includes(host.Runtime))
    throw new TwofoldError('invalid-argument', `unknown or invalid runtime name: ${host.Runtime}`);
  checkGroups(host.GroupAdd ?? [], lacking);
  const score = host.OomScoreAdj ?? 0;
  if (!Number.isInteger(score) || score < -1000 || score > 1000)
    throw new TwofoldError('invalid-argument', `Invalid value ${score}, range for oom score adj is [-1000, 1000]`);
  checkText(config, host);
}

const highestId = 0x7fffffff;

/** `--group-add`: a name would have to be looked up in the container's own files. */
function checkGroups(groups: readonly string[], lacking: (what: string) => TwofoldError): void {
  for (const group of groups) {
    if (!/^\d{1,10}$/.test(group)) throw lacking(`--group-add with a name (${group.slice(0, 60)}); give the number`);
    if (Number(group) > highestId)
      throw new TwofoldError('invalid-argument', `uids and gids must be in range 0-${highestId}`);
  }
}

/** A user's groups and those of `--group-add`, each once. The same limit holds where a user's groups are looked up. */
export function groupsWith(groups: readonly number[], host: HostConfig): number[] {
  const all = new Set([...groups, ...(host.GroupAdd ?? []).map(Number)]);
  if (all.size > MAX_GROUPS)
    throw new TwofoldError('invalid-argument', `a process can be in at most ${MAX_GROUPS} groups`);
  return [...all];
}
