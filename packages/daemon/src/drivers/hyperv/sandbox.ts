// Owns the making and ending of a sandbox: worker's user, control groups, plan, supervisor; and its clearing away by
// what the disk tells alone. Does not own containers in it.

import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  FrameType,
  Tag,
  TlvWriter,
  TwofoldError,
  guidDigits,
  isTwofoldError,
  newId,
  type SandboxId,
} from '@twofold/contract';
import type { Cgroups } from '../../host/cgroup/index.ts';
import { SupervisorConnection } from '../../host/supervisor-connection.ts';
import { measureTickRate } from '../../host/tick-rate.ts';
import { startSupervisor } from '../../host/supervisor-process.ts';
import { claimWorkerUser, releaseWorkerUser } from '../../host/worker-users.ts';
import type { Settings } from '../../settings.ts';
import type { SandboxInterface, SandboxSpec } from '../driver.ts';
import { copyDisk } from './disks.ts';
import { thisMachine, type Accelerator } from './machine.ts';
import { readNotes, writeNotes } from './notes.ts';
import { hypervParts, sandboxParts, spareDisks } from './places.ts';
import { vmMemoryBytes } from './size.ts';
import {
  describeWorker,
  mostAdapters,
  mostWorkerThreads,
  workerOverheadBytes,
  workerOverheadCpus,
  type Origin,
  type WorkerAdapter,
} from './worker.ts';

const readyTimeoutMs = 20_000;
/** The supervisor's own limit for the guest's part is 10 s. */
const shutdownTimeoutMs = 20_000;
const clearTimeoutMs = 30_000;
const patienceMs = 3_000;
/** native/agent/configure.c. */
const withoutNetwork = 1;
/** native/supervisor/vm.c. */
const shutdownAtOnce = 1;
/** A clone's adapter has it until it is given its own (NETWORK). */
export const templateMac = '02:00:00:00:00:01';

/** Of a VM of `machine`'s size that is no container's, in a directory of its own, which is made. */
export async function nobodysSandbox(
  settings: Settings,
  machine: SandboxSpec['machine'],
  namespace: string,
  hostname: string,
): Promise<SandboxSpec> {
  const id = newId<SandboxId>();
  const directory = join(settings.runRoot, 'sb', id);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return {
    id,
    namespace,
    directory,
    hostname,
    network: { mode: 'none' },
    machine,
    cgroupPath: `${settings.cgroupParent}/${id}`,
    resources: {},
  };
}

/** Boots the VM. Resolves once the supervisor listens and the TAP is there; the guest goes on booting. */
export async function bootSandbox(
  spec: SandboxSpec,
  settings: Settings,
  accelerator: Accelerator,
  cgroups: Cgroups,
  origin: Origin,
  signal: AbortSignal,
): Promise<number> {
  const parts = hypervParts(settings.libRoot);
  const { directory, cgroupPath } = spec;
  await using undo = new AsyncDisposableStack();
  const user = await claimWorkerUser(guidDigits(spec.id), settings.workerUids);
  undo.defer(() => releaseWorkerUser(user));
  // Its own; a template's belongs to the template.
  const copy =
    origin.from !== 'boot' && origin.from !== 'template'
      ? { from: origin.disk, to: join(spareDisks(settings.dataRoot), `${spec.id}.ext4`) }
      : null;
  await writeNotes(directory, {
    sandbox: spec.id,
    cgroupPath,
    user,
    layers: {},
    ...(copy === null ? {} : { spare: copy.to }),
  });
  const copied = copy === null ? Promise.resolve() : copyDisk(copy.from, copy.to, signal);
  copied.catch(() => undefined); // awaited below, unless something else fails first
  undo.defer(async () => {
    await copied.catch(() => undefined);
    if (copy !== null) await rm(copy.to, { force: true });
  });
  undo.defer(() => cgroups.remove(cgroupPath, AbortSignal.timeout(clearTimeoutMs)).catch(() => undefined));
  const worker = cgroups.create(workerGroup(cgroupPath), 'limited');
  limitWorker(spec, cgroupPath, cgroups);
  // Beside other sandboxes, hence the whole sandbox's group.
  if (origin.from !== 'boot' && origin.background === true) cgroups.background(cgroupPath, true);
  const own = cgroups.create(`${cgroupPath}/supervisor`, 'tracking');
  // Others have booted long ago.
  const tickRateKhz =
    accelerator === 'tcg' && (origin.from === 'boot' || origin.from === 'template')
      ? await measureTickRate(parts.supervisor)
      : null;
  const plan = new TlvWriter()
    .string(Tag.CONTAINER, spec.id)
    .string(Tag.PATH, sandboxParts(directory).socket)
    .string(Tag.TYPE, 'hyperv')
    .strings(Tag.CGROUP, own);
  describeWorker(
    plan,
    {
      name: user.name,
      machine: thisMachine(),
      accelerator,
      memoryBytes: spec.machine.memoryBytes,
      cpus: spec.machine.cpus,
      adapters: adaptersOf(spec, origin, settings.linkPrefix),
      origin,
      spare: origin.from === 'template' ? origin.disk : (copy?.to ?? null),
      tickRateKhz,
      vmlinux: parts.vmlinux,
      initramfs: parts.initramfs,
      forkable: parts.forkable,
    },
    user.uid,
    worker,
  );
  await writeFile(sandboxParts(directory).plan, plan.finish(), { mode: 0o600 });
  await copied;
  const pid = await startSupervisor({ program: parts.supervisor, directory, timeoutMs: readyTimeoutMs }, signal);
  undo.move();
  return pid;
}

/** The worker's own control group, below the sandbox's. */
export const workerGroup = (cgroupPath: string): string => `${cgroupPath}/worker`;

/**
 * The guest may touch all of its memory and gives none back, so the worker's limit is the VM's size: one that hit a
 * smaller limit would be killed. Twice of it: what a clone writes first where its template has nothing is also counted
 * in the template's memory, of whoever was the first.
 */
export function limitWorker(spec: SandboxSpec, cgroupPath: string, cgroups: Cgroups): void {
  cgroups.limit(workerGroup(cgroupPath), {
    memoryBytes: 2 * vmMemoryBytes(spec.machine) + workerOverheadBytes,
    pids: mostWorkerThreads + spec.machine.cpus,
    ...(spec.resources.cpus === undefined ? {} : { cpus: spec.resources.cpus + workerOverheadCpus }),
  });
}

/**
 * Others' work goes before that of a VM which is made in the background, but not for ever: on a machine that is always
 * busy it would never be done.
 */
export function patience(cgroupPath: string, cgroups: Cgroups): Disposable {
  const end = setTimeout(() => cgroups.background(cgroupPath, false), patienceMs);
  return { [Symbol.dispose]: () => clearTimeout(end) };
}

/**
 * What holds for the whole VM, as soon as it is up. The clock is told once more after a boot or a resumption that was
 * waited for.
 */
export async function configureSandbox(
  spec: SandboxSpec,
  connection: SupervisorConnection,
  signal: AbortSignal,
  { isUp = false } = {},
): Promise<void> {
  const first = new TlvWriter()
    .string(Tag.HOSTNAME, spec.hostname)
    .bytes(Tag.DATA, crypto.getRandomValues(Buffer.alloc(64)));
  if (spec.network.mode !== 'attached') first.number(Tag.FLAGS, withoutNetwork);
  if (spec.domainname !== undefined) first.string(Tag.DOMAINNAME, spec.domainname);
  for (const [key, value] of Object.entries(spec.sysctls ?? {})) first.string(Tag.SYSCTL, `${key}=${value}`);
  await connection.request(FrameType.CONFIGURE, withTime(first), signal);
  if (!isUp) await connection.request(FrameType.CONFIGURE, withTime(new TlvWriter()), signal);
}

/** The time of now, for the guest's clock. */
export function withTime(payload: TlvWriter): TlvWriter {
  return payload.number(Tag.TIME, BigInt(Date.now()) * 1_000_000n);
}

/**
 * Ends the VM, in order where it still answers and what it wrote is still wanted, and clears away all of it but the
 * empty directory. Idempotent.
 */
export async function endSandbox(directory: string, cgroups: Cgroups, { discard = false } = {}): Promise<void> {
  const notes = await readNotes(directory);
  using connection = new SupervisorConnection(sandboxParts(directory).socket);
  const within = AbortSignal.timeout(shutdownTimeoutMs);
  try {
    await connection.request(
      FrameType.SHUTDOWN,
      discard ? new TlvWriter().number(Tag.FLAGS, shutdownAtOnce) : new TlvWriter(),
      within,
    );
    await connection.gone(within);
  } catch (error) {
    // It was gone already, or won't go: what is left is killed below.
    if (!isTwofoldError(error)) throw error;
  }
  if (notes !== null) {
    await cgroups.kill(notes.cgroupPath, AbortSignal.timeout(clearTimeoutMs));
    await cgroups.remove(notes.cgroupPath, AbortSignal.timeout(clearTimeoutMs));
    await releaseWorkerUser(notes.user);
    if (notes.spare !== undefined) await rm(notes.spare, { force: true });
  }
  // The notes last: what is called off before is found again.
  const { notes: last } = sandboxParts(directory);
  const paths = (await readdir(directory).catch(() => [])).map((name) => join(directory, name));
  await Promise.all(paths.filter((path) => path !== last).map((path) => rm(path, { recursive: true, force: true })));
  await rm(last, { force: true });
}

/** Set-up's answer, or the setting. Throws where emulation is all there is and may not serve as a boundary. */
export async function chooseAccelerator(settings: Settings): Promise<Accelerator> {
  const measured = await readFile(hypervParts(settings.libRoot).accelerator, 'utf8').then(
    (text) => (JSON.parse(text) as { accelerator?: Accelerator }).accelerator,
    () => undefined,
  );
  return settings.accelerator === 'auto' ? (measured ?? 'tcg') : settings.accelerator;
}

/**
 * A template has one adapter, and so has every clone: one without a network is told to take it away (configureSandbox).
 */
function adaptersOf(spec: SandboxSpec, origin: Origin, linkPrefix: string): readonly WorkerAdapter[] {
  const wanted = interfacesOf(spec);
  if (origin.from === 'boot') return wanted;
  return [{ hostName: wanted[0]?.hostName ?? `${linkPrefix}v${spec.id.slice(0, 8)}`, mac: templateMac }];
}

/** Throws for what a VM can't have. */
export function interfacesOf(spec: SandboxSpec): readonly SandboxInterface[] {
  if (spec.network.mode === 'host')
    throw new TwofoldError(
      'unsupported',
      "A Hyper-V container cannot have the host's network: its kernel is not the host's.",
    );
  const interfaces = spec.network.mode === 'attached' ? spec.network.interfaces : [];
  if (interfaces.length > mostAdapters)
    throw new TwofoldError('unsupported', `A Hyper-V container can have at most ${mostAdapters} network adapters.`);
  return interfaces;
}
