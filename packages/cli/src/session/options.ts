// Owns the words of `run`, `create` and `exec` that docker has too, and what they mean in a request. Values are checked
// by the daemon.

import { InvalidArgumentError, type Command } from 'commander';
import type { ContainerCreateRequest, HostConfig } from '@twofold/contract';
import { gather } from '@twofold/verbs/options.ts';

export interface RunOptions {
  rm?: true;
  detach?: true;
  interactive?: true;
  tty?: true;
  env: string[];
  label: string[];
  workdir?: string;
  user?: string;
  name?: string;
  hostname?: string;
  entrypoint?: string;
  isolation?: string;
  readOnly?: true;
  init?: true;
  privileged?: true;
  tmpfs: string[];
  capAdd: string[];
  capDrop: string[];
  memory?: number;
  cpus?: number;
  pidsLimit?: number;
  network?: string;
  restart?: string;
}

/** `512m`, `2g`, or bytes. */
export function bytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([bkmg]?)b?$/i.exec(text);
  if (match === null) throw new InvalidArgumentError('Use a number with b, k, m or g, such as 512m.');
  return Math.round(Number(match[1]) * 1024 ** 'bkmg'.indexOf(match[2]!.toLowerCase() || 'b'));
}

function number(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new InvalidArgumentError('Use a number.');
  return value;
}

/** Adds the words to a command. */
export function addRunOptions(command: Command): Command {
  return command
    .option('--rm', 'remove the container when it has ended')
    .option('-d, --detach', 'run in the background and print the id')
    .option('-i, --interactive', 'pass standard input on')
    .option('-t, --tty', 'allocate a terminal')
    .option('-e, --env <NAME=value>', 'environment', gather, [])
    .option('-l, --label <name=value>', 'label', gather, [])
    .option('-w, --workdir <directory>', 'working directory')
    .option('-u, --user <user>', 'user, or user:group')
    .option('--name <name>', 'name')
    .option('-h, --hostname <name>', 'host name')
    .option('--entrypoint <program>', "run this instead of the image's entrypoint")
    .option('--isolation <word>', 'process, hyperv or default')
    .option('--read-only', 'read-only root file system')
    .option('--init', 'an init that reaps and forwards signals')
    .option('--privileged', 'all capabilities that the kernel has')
    .option('--tmpfs <path[:options]>', 'a tmpfs there', gather, [])
    .option('--cap-add <name>', 'add a capability', gather, [])
    .option('--cap-drop <name>', 'drop a capability', gather, [])
    .option('-m, --memory <size>', 'memory limit', bytes)
    .option('--cpus <number>', 'processors', number)
    .option('--pids-limit <number>', 'processes', number)
    .option('--network <name>', 'switch')
    .option('--restart <policy>', 'no, always, unless-stopped, on-failure[:times]');
}

function pairs(values: readonly string[], between: string): Record<string, string> {
  return Object.fromEntries(
    values.map((value) => {
      const at = value.indexOf(between);
      return at < 0 ? [value, ''] : [value.slice(0, at), value.slice(at + 1)];
    }),
  );
}

/** The request that the words mean. */
export function createRequest(
  image: string,
  words: readonly string[],
  options: RunOptions,
): ContainerCreateRequest & { name?: string } {
  const [policy, times] = (options.restart ?? 'no').split(':');
  const hostConfig: HostConfig = {
    Isolation: options.isolation ?? '',
    AutoRemove: options.rm === true,
    ReadonlyRootfs: options.readOnly === true,
    Privileged: options.privileged === true,
    Tmpfs: pairs(options.tmpfs, ':'),
    CapAdd: options.capAdd,
    CapDrop: options.capDrop,
    RestartPolicy: {
      Name: policy as NonNullable<HostConfig['RestartPolicy']>['Name'],
      MaximumRetryCount: Number(times ?? 0),
    },
    ...(options.init === true ? { Init: true } : {}),
    ...(options.memory === undefined ? {} : { Memory: options.memory }),
    ...(options.cpus === undefined ? {} : { NanoCpus: Math.round(options.cpus * 1e9) }),
    ...(options.pidsLimit === undefined ? {} : { PidsLimit: options.pidsLimit }),
    ...(options.network === undefined ? {} : { NetworkMode: options.network }),
  };
  const interactive = options.interactive === true;
  const attached = options.detach !== true;
  return {
    Image: image,
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(words.length === 0 ? {} : { Cmd: [...words] }),
    ...(options.entrypoint === undefined ? {} : { Entrypoint: [options.entrypoint] }),
    ...(options.workdir === undefined ? {} : { WorkingDir: options.workdir }),
    ...(options.user === undefined ? {} : { User: options.user }),
    ...(options.hostname === undefined ? {} : { Hostname: options.hostname }),
    Env: options.env,
    Labels: pairs(options.label, '='),
    Tty: options.tty === true,
    OpenStdin: interactive,
    StdinOnce: interactive && attached,
    AttachStdin: interactive && attached,
    AttachStdout: attached,
    AttachStderr: attached,
    HostConfig: hostConfig,
  };
}
