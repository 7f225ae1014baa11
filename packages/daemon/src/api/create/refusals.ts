// Owns what of Docker's create and update bodies Twofold cannot carry out, and says so: each row names the word as the
// user wrote it. A key that neither this table nor the schema knows gives a warning, so that nothing is dropped in
// silence.

import { TwofoldError } from '@twofold/contract';

type Bag = Readonly<Record<string, unknown>>;

/** Unset, as Docker's clients write it: nothing, zero, empty. */
export function isUnset(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

const set = (value: unknown) => !isUnset(value);
const otherThan =
  (...allowed: readonly unknown[]) =>
  (value: unknown) =>
    set(value) && !allowed.includes(value);

type Row = readonly [key: string, applies: (value: unknown) => boolean, what: string];

const configRows: readonly Row[] = [
  ['Volumes', set, 'volumes (-v, VOLUME)'],
  ['NetworkDisabled', set, 'NetworkDisabled; use --network none'],
  ['Healthcheck', (value) => !isUnset(value) && !isHealthcheckOff(value), 'health checks (--health-cmd)'],
];

/** Shared by create and update. */
const resourceRows: readonly Row[] = [
  ['CgroupParent', set, '--cgroup-parent'],
  ['BlkioWeight', set, '--blkio-weight'],
  ['BlkioWeightDevice', set, '--blkio-weight-device'],
  ['BlkioDeviceReadBps', set, '--device-read-bps'],
  ['BlkioDeviceWriteBps', set, '--device-write-bps'],
  ['BlkioDeviceReadIOps', set, '--device-read-iops'],
  ['BlkioDeviceWriteIOps', set, '--device-write-iops'],
  ['CpuRealtimePeriod', set, '--cpu-rt-period'],
  ['CpuRealtimeRuntime', set, '--cpu-rt-runtime'],
  ['CpusetMems', set, '--cpuset-mems'],
  ['Devices', set, 'host devices (--device)'],
  ['DeviceCgroupRules', set, '--device-cgroup-rule'],
  ['DeviceRequests', set, '--gpus'],
  ['KernelMemory', set, '--kernel-memory'],
  ['KernelMemoryTCP', set, 'KernelMemoryTCP'],
  ['MemorySwappiness', otherThan(-1), '--memory-swappiness'],
  ['CpuCount', set, '--cpu-count (Windows only)'],
  ['CpuPercent', set, '--cpu-percent (Windows only)'],
  ['IOMaximumIOps', set, '--io-maxiops (Windows only)'],
  ['IOMaximumBandwidth', set, '--io-maxbandwidth (Windows only)'],
];

const hostRows: readonly Row[] = [
  ...resourceRows,
  ['Binds', set, 'bind mounts and volumes (-v)'],
  ['Mounts', set, 'mounts (--mount)'],
  ['VolumesFrom', set, '--volumes-from'],
  ['VolumeDriver', set, '--volume-driver'],
  ['PortBindings', hasPorts, 'published ports (-p)'],
  ['PublishAllPorts', set, 'published ports (-P)'],
  ['Links', set, '--link; containers on one network find each other by name'],
  ['UsernsMode', otherThan('host'), '--userns'],
  ['PidMode', otherThan('private'), '--pid'],
  ['IpcMode', otherThan('private', 'shareable'), '--ipc'],
  ['UTSMode', otherThan('private'), '--uts'],
  ['CgroupnsMode', otherThan('private'), '--cgroupns'],
  ['Cgroup', set, 'Cgroup'],
  ['StorageOpt', set, '--storage-opt'],
  ['Annotations', set, '--annotation'],
  ['Runtime', otherThan('crun'), '--runtime; isolation is chosen by --isolation'],
];

const harmless = new Set(['ContainerIDFile', 'NetworkingConfig', 'HostConfig', 'Healthcheck']);

/** Words of those tables, which are told apart from unknown ones in any case of letters (json.ts). */
export const configWords = configRows.map(([key]) => key);
export const hostWords = [...hostRows.map(([key]) => key), 'ContainerIDFile'];
export const resourceWords = resourceRows.map(([key]) => key);

function isHealthcheckOff(value: unknown): boolean {
  const test = (value as { Test?: unknown }).Test;
  return (
    Array.isArray(test) &&
    (test.length === 0 || test[0] === 'NONE') &&
    Object.entries(value as Bag).every(([key, one]) => key === 'Test' || isUnset(one))
  );
}

function hasPorts(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.values(value).some((bindings) => !isUnset(bindings));
}

const logDrivers = ['syslog', 'journald', 'gelf', 'fluentd', 'awslogs', 'splunk', 'etwlogs', 'gcplogs', 'logentries'];

/** A value that nobody could carry out: the request's fault, and nothing that Twofold lacks. Docker's words. */
function checkWords(host: Bag): void {
  const { CgroupnsMode: cgroupns, MemorySwappiness: swappiness, Runtime: runtime } = host;
  if (set(cgroupns) && !['private', 'host'].includes(String(cgroupns)))
    throw new TwofoldError('invalid-argument', `invalid cgroup namespace mode: ${String(cgroupns).slice(0, 60)}`);
  if (typeof swappiness === 'number' && swappiness !== -1 && (swappiness < 0 || swappiness > 100))
    throw new TwofoldError('invalid-argument', `Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
  if (set(runtime) && !['crun', 'runc', 'io.containerd.runc.v2'].includes(String(runtime)))
    throw new TwofoldError('invalid-argument', `Unknown runtime specified ${String(runtime).slice(0, 60)}`);
}

/**
 * Throws `not-implemented` for the first word that can't be carried out; otherwise warnings for keys that nobody knows.
 */
function refuse(bag: Bag, rows: readonly Row[], known: Bag, where: string): string[] {
  for (const [key, applies, what] of rows) {
    if (applies(bag[key])) throw new TwofoldError('not-implemented', `Twofold does not have this yet: ${what}.`);
  }
  return Object.keys(bag)
    .filter(
      (key) => set(bag[key]) && !Object.hasOwn(known, key) && !rows.some(([row]) => row === key) && !harmless.has(key),
    )
    .map((key) => `${where}${key.slice(0, 60)} is not known to Twofold and was ignored.`);
}

export function refuseInConfig(config: Bag, known: Bag): string[] {
  return refuse(config, configRows, known, '');
}

export function refuseInHostConfig(host: Bag, known: Bag): string[] {
  checkWords(host);
  return [
    ...refuse(host, hostRows, known, 'HostConfig.'),
    ...refuseSecurity(host['SecurityOpt']),
    ...refuseLog(host['LogConfig']),
  ];
}

export function refuseInResources(resources: Bag, known: Bag): string[] {
  return refuse(resources, resourceRows, known, '');
}

/** Endpoint settings beyond address, MAC and aliases. */
export function refuseInEndpoint(endpoint: Bag): void {
  const ipam = (endpoint['IPAMConfig'] ?? {}) as Bag;
  if (set(ipam['IPv6Address']) || set(ipam['LinkLocalIPs']))
    throw new TwofoldError(
      'not-implemented',
      'Twofold does not have this yet: IPv6 and link-local addresses (--ip6, --link-local-ip).',
    );
  if (set(endpoint['Links']))
    throw new TwofoldError(
      'not-implemented',
      'Twofold does not have this yet: --link; containers on one network find each other by name.',
    );
  if (set(endpoint['GwPriority']))
    throw new TwofoldError(
      'not-implemented',
      'Twofold does not have this yet: the priority of a gateway (--network name=…,gw-priority=…).',
    );
  if (set(endpoint['DriverOpts']))
    throw new TwofoldError('not-implemented', 'Twofold does not have this yet: driver options of an endpoint.');
}

function refuseSecurity(value: unknown): string[] {
  const warnings: string[] = [];
  for (const option of Array.isArray(value) ? value : []) {
    const [name, argument] = splitOption(String(option));
    if (name === 'no-new-privileges' && ['', 'true', 'false'].includes(argument)) continue;
    if (name === 'seccomp' && (argument === 'unconfined' || argument === 'builtin' || argument.startsWith('{')))
      continue;
    if (name === 'apparmor' && argument === 'unconfined') {
      warnings.push('Twofold does not apply AppArmor profiles: apparmor=unconfined changes nothing.');
      continue;
    }
    if (name === 'label' && argument === 'disable') {
      warnings.push('Twofold does not apply SELinux labels: label=disable changes nothing.');
      continue;
    }
    if (['apparmor', 'label', 'seccomp', 'systempaths', 'writable-cgroups'].includes(name))
      throw new TwofoldError(
        'not-implemented',
        `Twofold does not have this yet: --security-opt ${String(option).slice(0, 80)}.`,
      );
    throw new TwofoldError('invalid-argument', `invalid --security-opt: "${String(option).slice(0, 80)}"`);
  }
  return warnings;
}

/** `name=argument`, or the older `name:argument`. */
function splitOption(option: string): [string, string] {
  const at = option.search(/[=:]/);
  return at < 0 ? [option, ''] : [option.slice(0, at), option.slice(at + 1)];
}

function refuseLog(value: unknown): string[] {
  const log = (value ?? {}) as { Type?: string; Config?: Bag };
  const type = log.Type ?? '';
  if (!['', 'json-file', 'local', 'none', ...logDrivers].includes(type))
    throw new TwofoldError(
      'invalid-argument',
      `error looking up logging plugin ${type.slice(0, 60)}: plugin "${type.slice(0, 60)}" not found`,
    );
  if (logDrivers.includes(type))
    throw new TwofoldError('not-implemented', `Twofold does not have this yet: the log driver "${type.slice(0, 60)}".`);
  const option = Object.keys(log.Config ?? {}).find((key) => key !== 'max-size' && key !== 'max-file');
  if (option !== undefined)
    throw new TwofoldError(
      'not-implemented',
      `Twofold does not have this yet: the log option "${option.slice(0, 60)}".`,
    );
  return [];
}
