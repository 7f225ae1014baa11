// Owns the place in which utility VMs are tried: roots of their own, an image of busybox, containers made in one call,
// all taken away at the end.

import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId, type ContainerId, type OciProcess, type OciSpec, type SandboxId } from '@twofold/contract';
import type {
  ContainerSpec,
  DriverEvent,
  ProcessRef,
  ProcessStreams,
  RootfsLayer,
  SandboxInterface,
  SandboxSpec,
} from '../../packages/daemon/src/drivers/driver.ts';
import { HypervDriver } from '../../packages/daemon/src/drivers/hyperv/driver.ts';
import { openCgroups } from '../../packages/daemon/src/host/cgroup/index.ts';
import { defaults, type Settings } from '../../packages/daemon/src/settings.ts';
import { testedLibrary } from '../support/library.ts';
import { endingTakes } from '../support/ending.ts';
import { processesNaming } from '../support/processes.ts';
import { until } from '../support/until.ts';

const timeoutMs = 120_000;
let houses = 0;
const applets = [
  'cat',
  'date',
  'dd',
  'echo',
  'false',
  'head',
  'id',
  'ls',
  'mkdir',
  'mknod',
  'mount',
  'od',
  'ps',
  'sh',
  'sleep',
  'stty',
  'grep',
  'tail',
  'true',
  'tty',
  'uname',
  'wc',
];
const capabilities = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_KILL',
  'CAP_MKNOD',
  'CAP_SETGID',
  'CAP_SETUID',
];

export const within = (): AbortSignal => AbortSignal.timeout(timeoutMs);

export interface Running {
  readonly ref: ProcessRef;
  readonly sandbox: SandboxSpec;
  readonly spec: ContainerSpec;
  readonly supervisorPid: number;
  readonly streams: ProcessStreams;
}

interface Change {
  readonly layers?: RootfsLayer[];
  readonly memoryBytes?: number;
  readonly machine?: SandboxSpec['machine'];
  readonly adapter?: SandboxInterface;
}

export class House implements AsyncDisposable {
  readonly settings: Settings;
  readonly driver: HypervDriver;
  readonly events: DriverEvent[] = [];
  readonly warnings: string[] = [];
  readonly #root: string;
  readonly #closing = new AbortController();
  readonly #ending = endingTakes(this);
  readonly #sandboxes: SandboxSpec[] = [];

  private constructor(root: string, settings: Settings, driver: HypervDriver) {
    this.#root = root;
    this.settings = settings;
    this.driver = driver;
    void (async () => {
      for await (const event of driver.watch(this.#closing.signal)) this.events.push(event);
    })();
  }

  /** With a template, so that its VMs of the standard size are forks, or clones where that is turned off. */
  static async open(
    asked: Partial<Settings> = {},
    retry = { firstMs: 50, mostMs: 1_000, wellMs: 600_000 },
  ): Promise<House> {
    const root = mkdtempSync(join(tmpdir(), 'twofold-hyperv-'));
    const name = `/twofold-hyperv-${process.pid}-${houses++}`; // each has VMs of its own that nobody asked for
    const settings = {
      ...defaults,
      libRoot: testedLibrary,
      vmPool: 0,
      vmPoolMost: 1,
      dataRoot: join(root, 'data'),
      runRoot: join(root, 'run'),
      cgroupParent: name,
      machine: { memoryBytes: 512 << 20, cpus: 1 },
      ...asked,
    };
    const house = new House(root, settings, await HypervDriver.open(settings, openCgroups(), retry));
    house.driver.warmUp((sentence) => house.warnings.push(sentence), specOf(['true']));
    await house.driver.forkable();
    return house;
  }

  /** A layer from what `fill` puts into a directory. */
  layer(name: string, fill: (root: string) => void): RootfsLayer {
    const path = join(this.#root, `${name}.erofs`);
    if (!existsSync(path)) {
      const tree = join(this.#root, `${name}.tree`);
      mkdirSync(tree);
      fill(tree);
      execFileSync('mkfs.erofs', ['--quiet', path, tree], { stdio: 'ignore' });
      truncateSync(path, Math.ceil(readFileSync(path).length / 4096) * 4096);
    }
    return { path, name };
  }

  base(): RootfsLayer {
    return this.layer('base', (root) => {
      for (const directory of ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp']) mkdirSync(join(root, directory));
      copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
      for (const applet of applets) symlinkSync('busybox', join(root, 'bin', applet));
      writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n');
    });
  }

  describe(change: Change = {}): { ref: ProcessRef; sandbox: SandboxSpec; spec: ContainerSpec } {
    const container = newId<ContainerId>();
    const sandbox = container as string as SandboxId;
    const directory = join(this.settings.runRoot, 'sb', container);
    const writableDirectory = join(this.settings.dataRoot, 'containers', container);
    for (const path of [directory, writableDirectory]) mkdirSync(path, { recursive: true, mode: 0o700 });
    const resources = change.memoryBytes === undefined ? {} : { memoryBytes: change.memoryBytes };
    return {
      ref: { sandbox, container },
      sandbox: {
        id: sandbox,
        namespace: 'test',
        directory,
        hostname: 'guest',
        network: change.adapter === undefined ? { mode: 'none' } : { mode: 'attached', interfaces: [change.adapter] },
        machine: change.machine ?? this.settings.machine,
        cgroupPath: `${this.settings.cgroupParent}/${container}`,
        resources,
      },
      spec: {
        id: container,
        sandbox,
        rootfs: { layers: change.layers ?? [this.base()], writableDirectory, readOnly: false },
        files: [],
        user: '',
        log: null,
      },
    };
  }

  /** Boots, prepares, attaches and starts. */
  async run(args: string[], change: Change & { oci?: (spec: OciSpec) => OciSpec } = {}): Promise<Running> {
    const described = this.describe(change);
    this.#sandboxes.push(described.sandbox);
    const { supervisorPid } = await this.driver.createSandbox(described.sandbox, within());
    await this.driver.createContainer(described.spec, within());
    await this.driver.configureNetwork(described.ref.sandbox, described.sandbox, within());
    const streams = await this.driver.attach(described.ref, { stdin: false, stdout: true, stderr: true }, within());
    const spec = specOf(args, change.memoryBytes);
    await this.driver.startContainer(
      described.ref,
      change.oci?.(spec) ?? spec,
      { openStdin: false, stdinOnce: false },
      within(),
    );
    return { ...described, supervisorPid, streams };
  }

  async end({ ref, sandbox }: Pick<Running, 'ref' | 'sandbox'>): Promise<void> {
    await this.driver.deleteSandbox(ref.sandbox, sandbox.directory);
  }

  async event(kind: DriverEvent['kind'], sandbox: SandboxId): Promise<DriverEvent> {
    return until(`the event ${kind}`, () =>
      this.events.find((event) => event.kind === kind && event.sandbox === sandbox),
    );
  }

  /** What still is of any of this house's VMs. */
  leftovers(): string[] {
    const users = existsSync('/run/userdb')
      ? readdirSync('/run/userdb').filter((file) => this.#sandboxes.some(({ id }) => file.startsWith(id.slice(0, 32))))
      : [];
    return [...processesNaming(this.#root), ...users.map((file) => `user ${file}`)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { id, directory } of this.#sandboxes) await this.driver.deleteSandbox(id, directory);
    this.#closing.abort();
    await this.driver[Symbol.asyncDispose]();
    await openCgroups().remove(this.settings.cgroupParent, within());
    rmSync(this.#root, { recursive: true, force: true });
    this.#ending[Symbol.dispose]();
  }
}

export function processOf(args: string[]): OciProcess {
  return {
    user: { uid: 0, gid: 0 },
    args,
    env: ['PATH=/bin'],
    cwd: '/',
    capabilities: {
      bounding: capabilities,
      effective: capabilities,
      permitted: capabilities,
      inheritable: [],
      ambient: [],
    },
  };
}

export function specOf(args: string[], memoryBytes?: number): OciSpec {
  return {
    ociVersion: '1.0.2',
    process: processOf(args),
    root: { path: '' },
    hostname: 'inside',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
      },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
    ],
    linux: {
      namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'ipc' }, { type: 'uts' }, { type: 'cgroup' }],
      maskedPaths: ['/proc/kcore'],
      readonlyPaths: ['/proc/sys'],
      resources: memoryBytes === undefined ? {} : { memory: { limit: memoryBytes } },
    },
  };
}

export async function outputOf(streams: ProcessStreams): Promise<string> {
  const parts: Buffer[] = [];
  for await (const { data } of streams.output) parts.push(data);
  return Buffer.concat(parts).toString('utf8');
}
