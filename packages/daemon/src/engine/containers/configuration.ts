// Owns the merge of what a caller asks for with what the image says, by Docker's rules. Pure.

import { TwofoldError, type ContainerConfig, type ContainerId, type ImageConfig } from '@twofold/contract';

/** What runs: the caller's words before the image's. Throws `invalid-argument` when no command remains. */
export function mergeConfiguration(id: ContainerId, asked: ContainerConfig, image: ImageConfig): ContainerConfig {
  // An entrypoint of the caller's makes the image's command meaningless. An empty one takes the image's away: [""] and
  // its command with it, [] alone.
  const ownEntrypoint = asked.Entrypoint !== undefined && asked.Entrypoint.length > 0;
  const entrypoint = asked.Entrypoint?.filter((word, index) => index > 0 || word !== '') ?? image.Entrypoint ?? [];
  const hasCommand = asked.Cmd !== undefined && asked.Cmd.length > 0;
  const command = hasCommand ? asked.Cmd! : ownEntrypoint ? [] : (image.Cmd ?? []);
  if (entrypoint.length + command.length === 0) throw new TwofoldError('invalid-argument', 'no command specified');
  return {
    ...asked,
    Hostname: asked.Hostname || id.slice(0, 12),
    Domainname: asked.Domainname ?? '',
    User: asked.User || (image.User ?? ''),
    WorkingDir: asked.WorkingDir || (image.WorkingDir ?? ''),
    Env: mergeEnvironment(asked.Env ?? [], image.Env ?? []),
    Cmd: command,
    Entrypoint: entrypoint,
    Labels: { ...image.Labels, ...asked.Labels },
    ...(asked.StopSignal || image.StopSignal ? { StopSignal: asked.StopSignal || image.StopSignal! } : {}),
    ...(asked.ExposedPorts || image.ExposedPorts
      ? { ExposedPorts: { ...image.ExposedPorts, ...asked.ExposedPorts } }
      : {}),
    ...(asked.Volumes || image.Volumes ? { Volumes: { ...image.Volumes, ...asked.Volumes } } : {}),
    ...(asked.Shell || image.Shell ? { Shell: asked.Shell ?? image.Shell! } : {}),
  };
}

/** The caller's variables first, then those of the image that the caller didn't set. */
function mergeEnvironment(asked: readonly string[], image: readonly string[]): string[] {
  const nameOf = (entry: string) => entry.split('=', 1)[0]!;
  const set = new Set(asked.map(nameOf));
  return [...asked, ...image.filter((entry) => !set.has(nameOf(entry)))];
}
