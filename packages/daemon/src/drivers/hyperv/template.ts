// Owns a template: a VM that was booted once, whose memory and state every clone begins with. One for each key, a hash
// of all that it depends on, shared by all daemons of a library root. Root's alone: a clone gets the memory sealed and
// the state read-only.
//
//   absent ─first boot, saved beside and renamed▶ there ─sealed in memory by each daemon▶ open ─a clone failed▶ dropped
//
// Does not own clones, nor which templates a daemon has (templates.ts).

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, chmod, mkdir, open, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { FrameType, Tag, TlvWriter, TwofoldError } from '@twofold/contract';
import type { Cgroups } from '../../host/cgroup/index.ts';
import { runCommand } from '../../host/command.ts';
import { runQmp } from '../../host/qmp.ts';
import { sealMemory, type SealedMemory } from '../../host/sealed-memory.ts';
import { SupervisorConnection } from '../../host/supervisor-connection.ts';
import type { Settings } from '../../settings.ts';
import { copyDisk, ensureEmptyDisk } from './disks.ts';
import { thisMachine, type Accelerator } from './machine.ts';
import { emptyDisk, hypervParts, sandboxParts, templateParts } from './places.ts';
import { rehearse, type Rehearsal } from './rehearsal.ts';
import type { Size } from './size.ts';
import { bootSandbox, endSandbox, nobodysSandbox, templateMac } from './sandbox.ts';
import { programOf, workerCommand } from './worker.ts';

/** Raised when what is saved changes in a way that the rest of the key does not show. */
const formatVersion = 4;
const bootTimeoutMs = 150_000;
/** The guest's kernel has things to finish after the agent has come up; what is saved should be idle. */
const settleMs = 700;
const saveTimeoutMs = 60_000;
const pollMs = 20;
/** A lock older than this is of a daemon that was killed. */
const lockTimeoutMs = 180_000;
const lockPollMs = 250;

export interface Template {
  /** For supervisors to open: memory that nobody can write. */
  readonly memory: string;
  readonly saved: string;
  /** What clones' writable disks are copied from. */
  readonly disk: string;
  close(): void;
}

export interface Making {
  readonly settings: Settings;
  readonly accelerator: Accelerator;
  readonly cgroups: Cgroups;
  readonly rehearsal: Rehearsal;
}

/** What holds for every template of a library: programs and kernel. Names of templates begin with it. */
export async function templateBasis({ settings }: Making): Promise<string> {
  const parts = hypervParts(settings.libRoot);
  const qemu = programOf(thisMachine());
  const version = await runCommand('ask QEMU for its version', [qemu, '--version']);
  const program = await stat(qemu);
  return digest([
    formatVersion,
    version.stdout.toString('utf8'),
    program.size,
    program.mtimeMs,
    await hashOf(parts.vmlinux),
    await hashOf(parts.initramfs),
    await hashOf(parts.rehearsal),
  ]);
}

/** Where the template of a size is, or would be. */
export async function templateDirectory({ settings, accelerator }: Making, basis: string, size: Size): Promise<string> {
  const words = workerCommand({
    name: 'template',
    machine: thisMachine(),
    accelerator,
    ...size,
    adapters: [{ hostName: 'template', mac: templateMac }],
    origin: { from: 'template', memory: '', saved: '', disk: '' },
    spare: '',
    tickRateKhz: null,
    vmlinux: '',
    initramfs: '',
    forkable: '',
  });
  // Under KVM the guest sees the host's own processor, and under emulation its time stamp counter.
  const processor = /^model name.*$/m.exec(await readFile('/proc/cpuinfo', 'utf8'))?.[0] ?? '';
  return join(hypervParts(settings.libRoot).templates, `${basis}-${digest([words, processor])}`);
}

/** Makes it where there is none; `background`: others' work goes first. */
export async function makeTemplate(
  making: Making,
  directory: string,
  size: Size,
  background: boolean,
  signal: AbortSignal,
): Promise<void> {
  await mkdir(dirname(directory), { recursive: true, mode: 0o700 });
  for (;;) {
    if (await exists(directory)) return;
    if (await takeLock(`${directory}.lock`)) break;
    await wait(lockPollMs, undefined, { signal });
  }
  const fresh = `${directory}.new`;
  try {
    if (await exists(directory)) return;
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { mode: 0o700 });
    await bootAndSave(fresh, making, size, background, signal);
    await rename(fresh, directory);
  } finally {
    await rm(fresh, { recursive: true, force: true });
    await rm(`${directory}.lock`, { force: true });
  }
}

/** Whether it has been made. */
export const hasTemplate = exists;

/** Copies its memory to where nobody can write it. */
export async function openTemplate({ settings }: Making, directory: string, signal: AbortSignal): Promise<Template> {
  const sealed: SealedMemory = await sealMemory(
    hypervParts(settings.libRoot).supervisor,
    templateParts(directory).memory,
    signal,
  );
  const { saved, disk } = templateParts(directory);
  return { memory: sealed.path, saved, disk, close: () => sealed.close() };
}

/** Templates of a kernel or QEMU that is here no more. */
export async function removeStaleTemplates({ settings }: Making, basis: string): Promise<void> {
  const { templates } = hypervParts(settings.libRoot);
  for (const name of await readdir(templates))
    if (!name.startsWith(`${basis}-`)) await rm(join(templates, name), { recursive: true, force: true });
}

/** So that the next daemon makes it anew. */
export async function dropTemplate(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}

const digest = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 24);

/** False while another process that lives has it. */
async function takeLock(path: string): Promise<boolean> {
  const made = await writeFile(path, `${process.pid}\n`, { flag: 'wx', mode: 0o600 }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw new TwofoldError('internal', 'Could not lock the template.', { cause: error });
      return false;
    },
  );
  if (made) return true;
  const holder = await readFile(path, 'utf8').catch(() => '');
  const age = await stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  );
  const alive = holder.trim() === '' || (await exists(`/proc/${holder.trim()}`));
  // Taken away by rename: of two that find it stale, one gets it.
  if (!alive || age > lockTimeoutMs)
    await rename(path, `${path}.${process.pid}`).then(
      () => rm(`${path}.${process.pid}`, { force: true }),
      () => undefined,
    );
  return false;
}

async function bootAndSave(
  directory: string,
  { settings, accelerator, cgroups, rehearsal }: Making,
  machine: Size,
  background: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { memory, saved, disk } = templateParts(directory);
  const empty = emptyDisk(settings.dataRoot);
  await ensureEmptyDisk(empty, signal);
  await copyDisk(empty, disk, signal);
  const spec = await nobodysSandbox(settings, machine, 'template', 'template');
  const { directory: sandbox } = spec;
  try {
    await bootSandbox(
      spec,
      settings,
      accelerator,
      cgroups,
      { from: 'template', memory, saved, disk, ...(background ? { background } : {}) },
      signal,
    );
    using connection = new SupervisorConnection(sandboxParts(sandbox).socket);
    const within = AbortSignal.any([signal, AbortSignal.timeout(bootTimeoutMs)]);
    // Answered when the guest is up.
    await connection.request(FrameType.CONFIGURE, new TlvWriter().string(Tag.DISK, 'scratch'), within);
    await rehearse(connection, sandbox, templateMac, rehearsal, within);
    await wait(settleMs, undefined, { signal });
    await save(connection, within);
  } finally {
    await endSandbox(sandbox, cgroups);
    await rm(sandbox, { recursive: true, force: true });
  }
  for (const path of [memory, saved, disk]) {
    await chmod(path, 0o600); // QEMU's user could open it until now
    await using file = await open(path, 'r+');
    await file.sync();
  }
  if ((await stat(saved)).size === 0) throw new TwofoldError('sandbox-failed', 'QEMU saved nothing of the template.');
}

/** Of a running VM, which stands still from then on: its clones run at once. */
async function save(connection: SupervisorConnection, signal: AbortSignal): Promise<void> {
  const run = (execute: string, words: Record<string, unknown> = {}) =>
    runQmp(connection, "save the VM's template", [], [{ execute, arguments: words }], signal);
  await run('migrate-set-capabilities', { capabilities: [{ capability: 'x-ignore-shared', state: true }] });
  await run('migrate', { uri: 'fd:saved' });
  const late = AbortSignal.any([signal, AbortSignal.timeout(saveTimeoutMs)]);
  for (;;) {
    const [answer] = (await run('query-migrate')) as [{ status?: string; 'error-desc'?: string }];
    if (answer.status === 'completed') break;
    if (answer.status === 'failed' || answer.status === 'cancelled')
      throw new TwofoldError(
        'sandbox-failed',
        `QEMU could not save the template: ${answer['error-desc'] ?? 'no reason given'}`,
      );
    await wait(pollMs, undefined, { signal: late });
  }
  // The guest stands still, so it can't be asked to shut down.
  await run('quit').catch(() => undefined);
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
