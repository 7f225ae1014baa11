// Owns how the daemon's settings are given: flags (dockerd's names where it has them) and a JSON file with the same
// names. Every value is checked here, and an error says which word was wrong and what is right. Reads no file but the
// one named, and the register where an instance is named.

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { instanceNamed, TwofoldError } from '@twofold/contract';
import { bytesOf } from './engine/containers/plan.ts';
import { slotOf } from './instances.ts';
import { defaultsOf, type Settings } from './settings.ts';

type Draft = { -readonly [K in keyof Settings]: Settings[K] } & { socketGiven?: boolean; poolsGiven?: boolean };

interface Option {
  /** As commander writes it. */
  readonly flags: string;
  /** In the file: dockerd's name, which is plural where a flag can be repeated. */
  readonly key: string;
  readonly help: string;
  readonly repeated?: true;
  apply(draft: Draft, value: string): void;
}

const wrong = (message: string): never => {
  throw new TwofoldError('invalid-argument', message);
};

function oneOf<T extends string>(what: string, words: readonly T[], value: string): T {
  const found = words.find((word) => word === value.toLowerCase());
  return found ?? wrong(`${what} "${value}" is not valid: use one of ${words.join(', ')}.`);
}

function absolute(what: string, value: string): string {
  if (!isAbsolute(value)) wrong(`${what} "${value}" is not an absolute path.`);
  return value.length > 1 ? value.replace(/\/+$/, '') : value;
}

function whole(what: string, value: string, lowest: number, highest: number): number {
  const number = Number(value);
  return Number.isInteger(number) && number >= lowest && number <= highest
    ? number
    : wrong(`${what} "${value}" is not a whole number from ${lowest} to ${highest}.`);
}

function pair(what: string, value: string): [string, string] {
  const at = value.indexOf('=');
  return at > 0 ? [value.slice(0, at), value.slice(at + 1)] : wrong(`${what} "${value}" has no "=".`);
}

const options: readonly Option[] = [
  {
    flags: '--data-root <directory>',
    key: 'data-root',
    help: 'state that outlives a reboot',
    apply: (draft, value) => void (draft.dataRoot = absolute('--data-root', value)),
  },
  {
    flags: '--exec-root <directory>',
    key: 'exec-root',
    help: 'sockets and mounts',
    apply: (draft, value) => void (draft.runRoot = absolute('--exec-root', value)),
  },
  {
    flags: '--lib-root <directory>',
    key: 'lib-root',
    help: 'programs, kernel and base images made by set-up',
    apply: (draft, value) => void (draft.libRoot = absolute('--lib-root', value)),
  },
  {
    flags: '-H, --host <address>',
    key: 'hosts',
    help: 'the socket to listen on: unix:///run/twofold/twofold.sock',
    apply(draft, value) {
      if (!value.startsWith('unix://'))
        wrong(`--host "${value}" is not an address that Twofold can listen on: use unix:///path.`);
      draft.socket = absolute('--host', value.slice('unix://'.length));
      draft.socketGiven = true;
    },
  },
  {
    flags: '-G, --group <name>',
    key: 'group',
    help: 'group that may use the socket',
    apply: (draft, value) => void (draft.socketGroup = value),
  },
  {
    flags: '--exec-opt <option>',
    key: 'exec-opts',
    repeated: true,
    help: 'isolation=process or isolation=hyperv: the default isolation',
    apply(draft, value) {
      const [name, word] = pair('--exec-opt', value);
      if (name !== 'isolation') wrong(`--exec-opt "${name}" is unknown: use isolation.`);
      draft.defaultIsolation = oneOf('The isolation', ['process', 'hyperv'], word);
    },
  },
  {
    flags: '--bridge-prefix <letters>',
    key: 'bridge-prefix',
    help: 'prefix of the names of bridges and links',
    apply: (draft, value) =>
      void (draft.linkPrefix = /^[a-z][a-z0-9]{0,3}$/.test(value)
        ? value
        : wrong(`--bridge-prefix "${value}" is not valid: use one to four lowercase letters and digits.`)),
  },
  {
    flags: '--default-address-pool <pool>',
    key: 'default-address-pools',
    repeated: true,
    help: 'base=10.88.0.0/13,size=16',
    apply(draft, value) {
      const given = Object.fromEntries(value.split(',').map((part) => pair('--default-address-pool', part)));
      const [, prefix = ''] = /^\d{1,3}(?:\.\d{1,3}){3}\/(\d{1,2})$/.exec(given['base'] ?? '') ?? [];
      if (prefix === '') wrong(`--default-address-pool "${value}" needs a base of the form 10.88.0.0/13.`);
      const pool = { base: given['base']!, size: whole("The pool's size", given['size'] ?? '', Number(prefix), 28) };
      draft.addressPools = draft.poolsGiven === true ? [...draft.addressPools, pool] : [pool];
      draft.poolsGiven = true;
    },
  },
  {
    flags: '--cgroup-parent <path>',
    key: 'cgroup-parent',
    help: "parent of the containers' cgroups",
    apply: (draft, value) =>
      void (draft.cgroupParent =
        /^(\/[\w.-]+)+$/.test(value) && !value.includes('..')
          ? value
          : wrong(`--cgroup-parent "${value}" is not a path like /twofold.`)),
  },
  {
    flags: '--worker-uids <first-last>',
    key: 'worker-uids',
    help: 'range of user ids for the workers of utility VMs',
    apply(draft, value) {
      const [first = '', last = ''] = value.split('-');
      draft.workerUids = {
        first: whole('--worker-uids', first, 1, 2 ** 32 - 3),
        last: whole('--worker-uids', last, Number(first) + 1, 2 ** 32 - 3),
      };
    },
  },
  {
    flags: '--vm-memory <size>',
    key: 'vm-memory',
    help: 'memory that a container may use in a standard utility VM',
    apply(draft, value) {
      const memoryBytes = bytesOf(value);
      if (memoryBytes < 128 << 20) wrong(`--vm-memory "${value}" is too little for a utility VM: the minimum is 128m.`);
      draft.machine = { ...draft.machine, memoryBytes };
    },
  },
  {
    flags: '--vm-cpus <number>',
    key: 'vm-cpus',
    help: 'processors of a utility VM',
    apply: (draft, value) => void (draft.machine = { ...draft.machine, cpus: whole('--vm-cpus', value, 1, 64) }),
  },
  {
    flags: '--vm-template <boolean>',
    key: 'vm-template',
    help: 'whether utility VMs are cloned from a template; otherwise each one boots, and none waits',
    apply: (draft, value) => void (draft.vmTemplate = oneOf('--vm-template', ['true', 'false'], value) === 'true'),
  },
  {
    flags: '--vm-fork <boolean>',
    key: 'vm-fork',
    help: 'whether emulated utility VMs are forked from one that is paused, where there is a template; otherwise they are cloned',
    apply: (draft, value) => void (draft.vmFork = oneOf('--vm-fork', ['true', 'false'], value) === 'true'),
  },
  {
    flags: '--vm-pool <number>',
    key: 'vm-pool',
    help: 'minimum number of utility VMs that wait for containers; 0: none',
    apply: (draft, value) => void (draft.vmPool = whole('--vm-pool', value, 0, 64)),
  },
  {
    flags: '--vm-pool-max <number>',
    key: 'vm-pool-max',
    help: 'maximum number of utility VMs that wait after a burst of starts',
    apply: (draft, value) => void (draft.vmPoolMost = whole('--vm-pool-max', value, 0, 256)),
  },
  {
    flags: '--vm-pool-idle <seconds>',
    key: 'vm-pool-idle',
    help: 'time without another burst after which the additional waiting utility VMs end',
    apply: (draft, value) => void (draft.vmPoolIdleMs = 1000 * whole('--vm-pool-idle', value, 1, 86_400)),
  },
  {
    flags: '--accelerator <word>',
    key: 'accelerator',
    help: 'auto, kvm or tcg',
    apply: (draft, value) => void (draft.accelerator = oneOf('--accelerator', ['auto', 'kvm', 'tcg'], value)),
  },
  {
    flags: '--allow-emulation <boolean>',
    key: 'allow-emulation',
    help: 'whether Hyper-V containers may run under software emulation, which QEMU does not consider a security boundary',
    apply: (draft, value) =>
      void (draft.allowEmulation = oneOf('--allow-emulation', ['true', 'false'], value) === 'true'),
  },
  {
    flags: '--runtime <program>',
    key: 'runtime',
    help: 'OCI runtime of process isolation: crun or runc, or a path',
    apply: (draft, value) => void (draft.runtime = value),
  },
  {
    flags: '-l, --log-level <level>',
    key: 'log-level',
    help: 'debug, info, warn, error or fatal',
    apply: (draft, value) =>
      void (draft.logLevel = oneOf('--log-level', ['trace', 'debug', 'info', 'warn', 'error', 'fatal'], value)),
  },
  {
    flags: '--log-opt <option>',
    key: 'log-opts',
    repeated: true,
    help: "max-size=10m, max-file=3: the containers' logs",
    apply(draft, value) {
      const [name, word] = pair('--log-opt', value);
      if (name === 'max-size') draft.logMaxBytes = bytesOf(word);
      else if (name === 'max-file') draft.logMaxFiles = whole('max-file', word, 1, 1000);
      else wrong(`--log-opt "${name}" is unknown: use max-size or max-file.`);
    },
  },
  {
    flags: '--default-pids-limit <number>',
    key: 'default-pids-limit',
    help: 'limit on the processes of a container that sets none itself; 0: no limit',
    apply: (draft, value) => void (draft.defaultPidsLimit = whole('--default-pids-limit', value, 0, 4 << 20)),
  },
  {
    flags: '--minimum-free <size>',
    key: 'minimum-free',
    help: 'free space in the data root below which no container is started',
    apply: (draft, value) => void (draft.minimumFreeBytes = bytesOf(value)),
  },
];

/**
 * The settings that `words` (without program and script) ask for; null when help was asked for and has been printed.
 * What an instance's name leaves open is asked of `slot`.
 */
export function readCommandLine(
  words: readonly string[],
  slot: (instance: string) => number = slotOf,
): Settings | null {
  const given: { option: Option; value: string }[] = [];
  let file: string | undefined;
  let debug = false;
  let instance: string | null = null;
  const command = new Command('twofoldd')
    .description('The Twofold daemon: containers in namespaces or in utility VMs, behind the Docker Engine API.')
    .exitOverride()
    .showHelpAfterError('(see --help)')
    .allowExcessArguments(false);
  for (const option of options)
    command.option(`${option.flags}`, option.help, (value: string) => void given.push({ option, value }));
  command.option(
    '--instance <name>',
    'a daemon beside others: roots, socket, bridge prefix, address pool, control groups and user ids follow from the name',
    (value: string) => void (instance = instanceNamed(value)),
  );
  command.option(
    '--config-file <file>',
    'JSON file with the names of these flags as keys; flags win',
    (value: string) => void (file = absolute('--config-file', value)),
  );
  command.option('--purge', 'remove everything that a daemon with these settings has on this host, and exit');
  command.option('-D, --debug', 'the same as --log-level debug').on('option:debug', () => (debug = true));
  try {
    command.parse(words, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return null;
    if (error instanceof CommanderError)
      throw new TwofoldError('invalid-argument', error.message.replace(/^error: /, ''), { cause: error });
    throw error;
  }
  const draft: Draft = { ...defaultsOf(instance === null ? null : { name: instance, slot: slot(instance) }) };
  if (file !== undefined) for (const { option, value } of readConfigFile(file)) option.apply(draft, value);
  draft.poolsGiven = false; // pools on the command line take the place of those in the file
  for (const { option, value } of given) option.apply(draft, value);
  if (debug) draft.logLevel = 'debug';
  const { socketGiven, poolsGiven: _pools, ...settings } = draft;
  return finish(settings, socketGiven === true);
}

function finish(settings: Settings, socketGiven: boolean): Settings {
  const socket = socketGiven ? settings.socket : join(settings.runRoot, 'twofold.sock');
  // A sandbox's socket: <exec root>/sb/<64 digits>/<name>.
  const longest = 107 - '/sb/'.length - 64 - '/socket'.length;
  if (Buffer.byteLength(settings.runRoot) > longest)
    wrong(`--exec-root "${settings.runRoot}" is too long for the sockets below it: the maximum is ${longest} bytes.`);
  if (Buffer.byteLength(socket) > 107) wrong(`The socket's path "${socket}" is longer than 107 bytes.`);
  return {
    ...settings,
    socket,
    machine: { ...settings.machine, cpus: Math.min(settings.machine.cpus, Math.max(1, availableParallelism())) },
  };
}

function readConfigFile(path: string): { option: Option; value: string }[] {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new TwofoldError('invalid-argument', `The configuration file ${path} could not be read as JSON.`, { cause });
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw new TwofoldError('invalid-argument', `The configuration file ${path} is not a JSON object.`);
  return Object.entries(content).flatMap(([key, value]) => {
    const option =
      options.find((candidate) => candidate.key === key) ??
      wrong(`The configuration file ${path} has the unknown key "${key}".`);
    return wordsOf(value).map((word) => ({ option, value: word }));
  });
}

/** A JSON value as the flag's words: `["a=b"]`, `{"a": "b"}`, `[{"base": …, "size": …}]`, a number, a string. */
function wordsOf(value: unknown): string[] {
  if (Array.isArray(value))
    return value.map((item) =>
      typeof item === 'object' && item !== null
        ? Object.entries(item)
            .map(([name, part]) => `${name}=${String(part)}`)
            .join(',')
        : String(item),
    );
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).map(([name, part]) => `${name}=${String(part)}`);
  return [String(value)];
}
